/** A log in memory, a server on a free port and a client of it, for tests of single APIs. */
import { internalsOf } from '../../src/client/internals.ts'
import type { Varve } from '../../src/client/varve.ts'
import { OFFSETS_SPEC } from '../../src/engine/internal-topics.ts'
import type { VarveOptions } from '../../src/engine/open-options.ts'
import { serveKafka, type KafkaServer, type ServeOptions } from '../../src/kafka/server.ts'
import { KafkaTestClient } from './kafka-client.ts'
import { openLog } from './logs.ts'

export class KafkaSession implements AsyncDisposable {
  private constructor(
    readonly log: Varve,
    readonly server: KafkaServer,
    readonly client: KafkaTestClient,
    /** What the server has warned of. */
    readonly warnings: readonly string[],
  ) {}

  static async open(options: ServeOptions = {}, logOptions: Partial<VarveOptions> = {}): Promise<KafkaSession> {
    const warnings: string[] = []
    const log = await openLog(logOptions)
    const server = await serveKafka(log, { onWarning: (message) => warnings.push(message), ...options })
    return new KafkaSession(log, server, await KafkaTestClient.connect(server.bootstrapServers[0]), warnings)
  }

  /** Makes partitions of `__consumer_offsets`, which are there from the first use of a group that is kept in them. */
  async makeOffsetsPartitions(...partitions: number[]): Promise<void> {
    const { admin } = internalsOf('makeOffsetsPartitions', this.log)
    for (const partition of partitions) await admin.internalPartition(OFFSETS_SPEC, partition)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client[Symbol.asyncDispose]()
    await this.server.close()
    await this.log.close()
  }
}

/** All versions of an API. */
export function versionsOf({ versions: [first, last] }: { versions: readonly [number, number] }): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i)
}
