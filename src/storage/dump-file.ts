import type { CompressionType } from '../codec/compression.ts'
import type { BatchFault } from '../codec/record-batch.ts'
import type { Checkpoint } from './checkpoint.ts'
import type { Storage } from './storage.ts'

/** Options of {@link dumpFile}. */
export interface DumpOptions {
  /** Default: the file system. */
  storage?: Storage
  /** Decodes the records of each batch too. Default false. */
  records?: boolean
}

/** One record of a batch, as its bytes stand in the file. */
export interface DumpedRecord {
  offset: number
  /** ms since the epoch */
  timestamp: number
  key: Buffer | null
  value: Buffer | null
  headers: [name: string, value: Buffer | null][]
  /** Of a control batch: how the transaction ended. */
  control?: 'commit' | 'abort' | 'unknown'
}

/** One batch of a `.log` file. */
export interface DumpedBatch {
  kind: 'batch'
  /** Byte position in the file. */
  position: number
  baseOffset: number
  lastOffset: number
  /** Records in the batch. */
  count: number
  /** The whole batch, header included. */
  sizeBytes: number
  leaderEpoch: number
  magic: number
  /** As stored, 8 hex digits. */
  crc: string
  /** Whether the bytes have that checksum; a {@link DumpedDamage} follows where they do not. */
  crcOk: boolean
  compression: CompressionType | 'unknown'
  timestampType: 'CreateTime' | 'LogAppendTime'
  isTransactional: boolean
  isControl: boolean
  /** ms since the epoch */
  baseTimestamp: number
  maxTimestamp: number
  /** -1: none */
  producerId: number
  producerEpoch: number
  baseSequence: number
  /** With `records`, and only of a batch whose checksum is right. */
  records?: DumpedRecord[]
}

/** One entry of an `.index` file: the batch that ends with `offset` starts at `logPosition`. */
export interface DumpedIndexEntry {
  kind: 'index'
  /** Byte position in this file. */
  position: number
  offset: number
  /** Byte position in the `.log` file. */
  logPosition: number
}

/** One entry of a `.timeindex` file: the greatest timestamp so far is that of the batch that ends with `offset`. */
export interface DumpedTimeIndexEntry {
  kind: 'timeindex'
  position: number
  /** ms since the epoch */
  timestamp: number
  offset: number
}

/** The content of `checkpoint-a` or `checkpoint-b`. */
export interface DumpedCheckpoint {
  kind: 'checkpoint'
  position: 0
  format: number
  /** The valid file with the greater sequence counts. */
  sequence: number
  checkpoint: Checkpoint
}

/** Bytes that are none of the above; what follows was found after them. */
export interface DumpedDamage {
  kind: 'damage'
  /** First damaged byte. */
  position: number
  /** First byte after it that could be read again, or the size of the file. */
  nextPosition: number
  reason: BatchFault | 'not a whole entry' | 'not increasing' | 'checksum or format'
}

/** What a file holds, in file order. */
export type DumpEntry = DumpedBatch | DumpedIndexEntry | DumpedTimeIndexEntry | DumpedCheckpoint | DumpedDamage

/**
 * Reads a `.log`, `.index`, `.timeindex`, `checkpoint-a` or `checkpoint-b` file, Varve's or Kafka's, entry by entry.
 */
export async function* dumpFile(_path: string, _options: DumpOptions = {}): AsyncGenerator<DumpEntry> {
  throw new Error('being written')
}
