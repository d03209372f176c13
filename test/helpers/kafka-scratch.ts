/** A server without a network, for cases by the hundred thousand: what is sent is handed to its connections directly. */
import { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import { internalsOf } from '../../src/client/internals.ts'
import type { Varve } from '../../src/client/varve.ts'
import { FieldWriter } from '../../src/codec/fields.ts'
import { verifyDirectory } from '../../src/inspect/verify-directory.ts'
import { apis } from '../../src/kafka/apis.ts'
import { Broker, CLIENT_TOPIC } from '../../src/kafka/broker.ts'
import { KafkaConnection } from '../../src/kafka/connection.ts'
import { kafkaLimits } from '../../src/kafka/limits.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { hashOf } from './disk-hash.ts'
import { FakeClock } from './fake-clock.ts'
import type { SampleNames } from './kafka-samples.ts'
import { DIRECTORY, openLog, segmentPath } from './logs.ts'

/** Of the request that is sent behind each case: answers come in order, so its answer ends the case. */
const LAST_ID = 0x5afe5afe
const QUESTION = sized(new FieldWriter().int16(18).int16(0).int32(LAST_ID).nullableString(null).finish())

/** What became of a case. */
export type Outcome = 'answered' | 'refused' | 'waiting'

/** As much of a socket as a connection uses. */
class MemorySocket extends EventEmitter {
  readonly remoteAddress = '127.0.0.1'
  readonly remotePort = 1
  readonly writableLength = 0
  bytesRead = 0
  bytesWritten = 0
  destroyed = false
  private paused = false
  /** Whether the last answer has come. */
  isOver = false

  setNoDelay(): void {}
  setKeepAlive(): void {}
  cork(): void {}
  uncork(): void {}
  isPaused = (): boolean => this.paused
  pause = (): void => void (this.paused = true)
  resume = (): void => void (this.paused = false)
  end = (): void => this.destroy()

  write(bytes: Buffer, taken?: () => void): boolean {
    this.bytesWritten += bytes.length
    if (bytes.length === 4 && bytes.readInt32BE(0) === LAST_ID) this.isOver = true
    taken?.()
    return true
  }

  destroy(): void {
    if (this.destroyed) return
    this.destroyed = true
    this.isOver = true
    this.emit('close')
  }
}

const SETTLING_TURNS = 1000

/** A log of a few topics, and what serves it. */
export class ScratchBroker implements AsyncDisposable {
  private constructor(
    private readonly storage: MemoryStorage,
    private readonly clock: FakeClock,
    private readonly log: Varve,
    private readonly broker: Broker,
    /** What requests can name; there is a topic `quiet` besides, and what is in it is to stay. */
    readonly names: SampleNames,
    /** What was warned of. */
    private readonly warnings: string[],
    private readonly quiet: string,
  ) {}

  static async open(): Promise<ScratchBroker> {
    const storage = new MemoryStorage()
    const clock = new FakeClock()
    const log = await openLog({ storage, clock })
    const topics = ['orders', 'compacted', 'quiet']
    for (const name of topics) {
      await log.createTopic({
        ...CLIENT_TOPIC,
        name,
        partitions: 2,
        ...(name === 'compacted' && { cleanupPolicy: 'compact' }),
      })
      await log.append(name, { key: 'k', value: Buffer.from(name), partition: 0 })
    }
    const warnings: string[] = []
    const settings = { clusterId: 'a'.repeat(22), autoCreateTopics: true, defaultPartitions: 1 }
    const warn = (message: string) => void warnings.push(message)
    const broker = new Broker(internalsOf('a test', log), apis, kafkaLimits, settings, warn)
    broker.nodes.push({ nodeId: 1, host: '127.0.0.1', port: 9092 })
    const topicIds = topics.slice(0, 2).map((name) => broker.topicNamed(name)!.record.topicId)
    const names = { topics: topics.slice(0, 2), topicIds, groups: ['g1', 'g2'] }
    return new ScratchBroker(storage, clock, log, broker, names, warnings, await quietOf(storage))
  }

  /** Sends the bytes on a connection of their own, and waits for what becomes of them; none may take for ever. */
  async send(bytes: Buffer): Promise<Outcome> {
    const socket = new MemorySocket()
    const before = this.warnings.length
    const connection = new KafkaConnection(socket as unknown as Socket, this.broker, 1)
    socket.emit('data', bytes)
    if (!socket.destroyed) socket.emit('data', QUESTION)
    // the last time is for work that is long, as that with thousands of partitions is
    for (const turns of [100, 100, 100_000]) {
      for (let turn = 0; !socket.isOver && turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve))
      if (!socket.isOver) await this.clock.advanceSlowly(kafkaLimits.stallMs)
    }
    const outcome = !socket.isOver ? 'waiting' : socket.destroyed ? 'refused' : 'answered'
    socket.destroy()
    await connection.closed
    if (this.warnings.length > before + 1)
      throw new Error(`more than one line: ${this.warnings.slice(before).join('\n')}`)
    return outcome
  }

  /** Of every byte that is stored. */
  hash(): Promise<string> {
    return hashOf(this.storage)
  }

  /** Closes the log and says what is wrong with what it left, and with what was warned of. */
  async findFaults(): Promise<string[]> {
    const faults = this.warnings.filter((line) => !line.startsWith('connection of '))
    // whoever waited for records has heard that nobody waits any more, and is on the way out
    for (let turn = 0; this.broker.queued.bytes !== 0 && turn < SETTLING_TURNS; turn++)
      await new Promise((resolve) => setImmediate(resolve))
    if (this.broker.queued.bytes !== 0) faults.push(`${this.broker.queued.bytes} bytes are counted that are gone`)
    await this[Symbol.asyncDispose]()
    const { damage } = await verifyDirectory(DIRECTORY, { storage: this.storage })
    faults.push(...damage.map((one) => JSON.stringify(one)))
    if ((await quietOf(this.storage)) !== this.quiet) faults.push('a topic has changed that nobody named')
    return faults
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.broker.close()
    await this.log.close()
  }
}

/** A request with its length before it. */
export function sized(frame: Buffer): Buffer {
  return Buffer.concat([new FieldWriter().int32(frame.length).finish(), frame])
}

async function quietOf(storage: MemoryStorage): Promise<string> {
  const files = await Promise.all(
    [0, 1].map((partition) => storage.readFile(segmentPath('quiet', partition, 0, '.log'))),
  )
  return files.map((file) => file.toString('hex')).join(' ')
}
