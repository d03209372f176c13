/** What a server allows its clients, so that none of them can take more than its share. */
export interface KafkaLimits {
  /** The largest request that brings records. Bytes. Default 100 MiB, Kafka's socket.request.max.bytes. */
  maxRequestBytes: number
  /** The largest request of another kind, up to `maxRequestBytes`. Bytes. Default 8 MiB. */
  maxPlainRequestBytes: number
  /**
   * The largest record batch, whatever `max.message.bytes` of its topic says: it is checked and written in one go. Bytes.
   * Default 16 MiB.
   */
  maxBatchBytes: number
  /** Items of all the lists of a request: each costs more to serve than to send. Default 50,000. */
  maxRequestItems: number
  /** Connections at a time; one more is closed at once. Default 10,000. */
  maxConnections: number
  /** Requests of one connection that are being served; the next one waits until one of them is answered. Default 16. */
  maxInFlightRequests: number
  /**
   * Requests, whole or not, and answers of all connections that are in memory: beyond it none is read further, and beyond
   * half of it an answer to Fetch holds a single batch. Bytes. Default 256 MiB.
   */
  maxQueuedBytes: number
  /** A connection that says nothing for so long is closed. Milliseconds. Default 10 minutes, Kafka's connections.max.idle.ms. */
  idleMs: number
  /** A request that has begun must be there whole, and an answer be taken, within this. Milliseconds. Default 30 s. */
  stallMs: number
  /**
   * What a batch may swell to where it is decompressed, which is where a producer sends it to a compacted topic, and where
   * ListOffsets looks for a time in it. Bytes. Default 16 MiB, for it is done in one go.
   */
  maxDecompressedBytes: number
}

/** What holds where nothing is said. */
export const kafkaLimits: KafkaLimits = {
  maxRequestBytes: 100 * 1024 * 1024,
  maxPlainRequestBytes: 8 * 1024 * 1024,
  maxBatchBytes: 16 * 1024 * 1024,
  maxRequestItems: 50_000,
  maxConnections: 10_000,
  maxInFlightRequests: 16,
  maxQueuedBytes: 256 * 1024 * 1024,
  idleMs: 600_000,
  stallMs: 30_000,
  maxDecompressedBytes: 16 * 1024 * 1024,
}
