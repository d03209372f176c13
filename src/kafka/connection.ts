import type { Socket } from 'node:net'
import { FieldReader, FieldWriter } from '../codec/fields.ts'
import { VarveError } from '../errors.ts'
import type { Api, Call } from './api.ts'
import type { Broker } from './broker.ts'
import { FrameReader, type Frame } from './frames.ts'
import { Pace } from './pace.ts'

/** Answers that the other side has not taken: more is not made before they have gone out. */
const UNSENT_BYTES_MAX = 4 * 1024 * 1024
/** What a client may send while it waits for answers: it is read for the end of the connection to be seen. */
const READ_AHEAD_BYTES = 64 * 1024
/** What has to move within the time for a request or an answer that is not through by then. */
const PROGRESS_BYTES = 1024 * 1024

/** One answer to come. */
interface Answer {
  body: Promise<Buffer[] | null>
  /** What its request and what is read for it take in memory. */
  bytes: number
  answered: () => void
  /** Whether the next request that need not wait for the answer may begin. */
  isBegun: boolean
}

/** How long a client that has all its answers is waited for to close its side. */
const LINGER_MS = 250

/** One client's connection: takes its requests in order and answers them in order. */
export class KafkaConnection {
  private readonly frames: FrameReader
  /** The answers to come, in order. */
  private readonly answers: Answer[] = []
  /** Requests that are whole and wait for those before them. */
  private readonly waiting: Frame[] = []
  /** Bytes that have come and of which nothing is served yet. */
  private unread = 0
  private isAnswering = false
  private isEnding = false
  private cancelTimer: (() => void) | null = null
  private readonly leaving = new Set<() => void>()
  readonly closed: Promise<void>

  constructor(
    private readonly socket: Socket,
    private readonly broker: Broker,
    private readonly nodeId: number,
  ) {
    const { maxRequestBytes, maxPlainRequestBytes } = broker.limits
    const bringsRecords = (key: number) => broker.apis.get(key)?.bringsRecords ?? false
    this.frames = new FrameReader(maxRequestBytes, maxPlainRequestBytes, bringsRecords, broker.buffers)
    socket.setNoDelay(true)
    socket.setKeepAlive(true)
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        this.cancelTimer?.()
        this.waiting.length = 0
        this.count(-this.unread)
        this.letGo()
        resolve()
      })
    })
    socket.on('error', () => {})
    // what it has asked for is done and answered all the same, as in Kafka: it may have asked for no answer
    socket.on('end', () => {
      this.isEnding = true
      this.letGo()
      this.goOn()
    })
    socket.on('data', (chunk: Buffer) => this.receive(chunk))
    socket.on('drain', () => {
      this.goOn()
      this.watch()
    })
    this.watch()
  }

  /** The other side's address and port. */
  get peer(): string {
    return `${this.socket.remoteAddress}:${this.socket.remotePort}`
  }

  /** Calls `listener` when the other side has closed, and nobody waits any more; returns a function that takes this back. */
  onClosed(listener: () => void): () => void {
    if (this.socket.destroyed || this.socket.readableEnded) listener()
    else this.leaving.add(listener)
    return () => void this.leaving.delete(listener)
  }

  /** Takes no more requests; resolves when those that it has are answered. */
  async drain(): Promise<void> {
    this.isEnding = true
    this.goOn()
    await this.closed
  }

  /** Ends it at once. */
  destroy(): void {
    this.socket.destroy()
  }

  private receive(chunk: Buffer): void {
    if (this.isEnding) return
    let isProgress = !this.frames.isWithin
    this.count(chunk.length)
    try {
      for (const frame of this.frames.push(chunk)) {
        this.waiting.push(frame)
        isProgress = true
      }
    } catch (error) {
      return this.breakOff(error)
    }
    this.goOn()
    if (isProgress) this.watch()
  }

  private letGo(): void {
    const leaving = [...this.leaving]
    this.leaving.clear()
    for (const leave of leaving) leave()
  }

  /** Counts what has come, or is served now. */
  private count(unread: number): void {
    this.unread += unread
    if (unread > 0) this.broker.queued.add(unread)
    else this.broker.queued.remove(-unread)
  }

  /** Starts whatever may be started, and reads on or not. */
  private readonly goOn = (): void => {
    if (this.socket.destroyed) return
    while (this.waiting.length > 0 && this.mayStart(this.waiting[0].bytes)) this.start(this.waiting.shift()!)
    const { queued } = this.broker
    if (queued.isFull) queued.onRoom(this.goOn)
    const isFull = queued.isFull || (this.waiting.length > 0 && this.unread > READ_AHEAD_BYTES)
    // whoever is to end is read on, for the other side's end to be seen
    if (isFull && !this.isEnding) this.socket.pause()
    else if (this.socket.isPaused()) this.socket.resume()
    if (this.isEnding && this.waiting.length === 0 && this.answers.length === 0) this.leave()
  }

  /** Closes this side, and then all: a client that awaits nothing may not look whether the other side has gone. */
  private leave(): void {
    if (this.socket.writableEnded) return
    this.socket.end(() => {
      this.cancelTimer?.()
      this.cancelTimer = this.broker.clock.setTimer(LINGER_MS, () => this.socket.destroy())
    })
  }

  private mayStart(frame: Buffer): boolean {
    if (this.socket.writableLength > UNSENT_BYTES_MAX) return false
    if (this.answers.length === 0) return true
    const isPipelined = this.broker.apis.get(frame.readInt16BE(0))?.isPipelined ?? false
    const isBegun = this.answers[this.answers.length - 1].isBegun
    return isPipelined && isBegun && this.answers.length < this.broker.limits.maxInFlightRequests
  }

  private start({ bytes, pooled }: Frame): void {
    const listeners: (() => void)[] = []
    const api = this.broker.apis.get(bytes.readInt16BE(0))
    if (pooled !== null && api?.isTransient) listeners.push(() => this.broker.buffers.give(pooled))
    const answer: Answer = {
      body: Promise.resolve(null),
      bytes: 0,
      answered() {
        for (const listener of listeners) listener()
      },
      isBegun: api?.isPipelined !== true,
    }
    const hold = (held: number) => {
      answer.bytes += held
      this.broker.queued.add(held)
    }
    hold(SIZE_BYTES + bytes.length)
    this.count(-answer.bytes)
    const begun = () => {
      answer.isBegun = true
      // not while it is being started
      if (this.answers.includes(answer)) this.goOn()
    }
    answer.body = this.serve(bytes, { hold, begun, onAnswered: (listener) => listeners.push(listener) })
    // it is awaited in its turn
    answer.body.catch(() => {})
    this.answers.push(answer)
    if (!this.isAnswering) void this.answer()
  }

  private async answer(): Promise<void> {
    this.isAnswering = true
    while (this.answers.length > 0) {
      const answer = this.answers[0]
      try {
        const pieces = await answer.body
        if (pieces !== null && !this.socket.destroyed) this.send(pieces, answer.answered)
        else answer.answered()
      } catch (error) {
        answer.answered()
        this.breakOff(error)
      }
      this.answers.shift()
      this.broker.queued.remove(answer.bytes)
      this.goOn()
      this.watch()
    }
    this.isAnswering = false
  }

  private send(pieces: Buffer[], onSent: () => void): void {
    const { queued } = this.broker
    const bytes = pieces.reduce((sum, { length }) => sum + length, 0)
    const size = Buffer.allocUnsafe(SIZE_BYTES)
    size.writeInt32BE(bytes)
    queued.add(bytes)
    this.socket.cork()
    this.socket.write(size)
    for (const piece of pieces) if (piece.length > 0) this.socket.write(piece)
    // called when all is written, and when the connection ends before
    this.socket.write(NOTHING, () => {
      queued.remove(bytes)
      onSent()
    })
    this.socket.uncork()
  }

  private async serve(frame: Buffer, told: Pick<Call, 'hold' | 'begun' | 'onAnswered'>): Promise<Buffer[] | null> {
    const reader = new FieldReader(frame, 'a request', 'INVALID_REQUEST')
    reader.itemsLeft = this.broker.limits.maxRequestItems
    const [key, version, correlationId] = [reader.int16(), reader.int16(), reader.int32()]
    const clientId = reader.nullableString() ?? ''
    const api = this.broker.apis.get(key)
    if (api === undefined) throw new VarveError('UNSUPPORTED_VERSION', `there is no API ${key}`)
    const header = new FieldWriter().int32(correlationId)
    const served = this.versionOf(api, version)
    reader.flexible = served >= api.flexibleSince
    if (version === served) reader.skipTags()
    const call: Call = {
      version: served,
      clientId,
      clientHost: `/${this.socket.remoteAddress ?? ''}`,
      broker: this.broker,
      nodeId: this.nodeId,
      connection: this,
      pace: new Pace(this.broker.clock),
      ...told,
    }
    const body = version === served ? await api.serve(reader, call) : api.refuseVersion(call)
    if (body === null) return null
    // the answer to ApiVersions has the first header in every version: a client reads it before it knows which there are
    if (served >= api.flexibleSince && key !== API_VERSIONS) header.int8(0)
    return [header.finish(), ...body]
  }

  private versionOf(api: Api, version: number): number {
    const [first, last] = api.versions
    if (version >= first && version <= last) return version
    if (api.key === API_VERSIONS) return 0
    const message = `${api.name} version ${version} is not served: ${first} to ${last} are`
    throw new VarveError('UNSUPPORTED_VERSION', message)
  }

  /** What follows cannot be understood, or is not wanted. */
  private breakOff(error: unknown): void {
    if (this.socket.destroyed) return
    this.broker.warn(`connection of ${this.peer} closed: ${(error as Error).message}`)
    this.socket.destroy()
  }

  /** Bytes that have come and gone. */
  private get movedBytes(): number {
    const { bytesRead, bytesWritten, writableLength } = this.socket
    return bytesRead + bytesWritten - writableLength
  }

  /** Waits for what has to come next, and no longer: a byte now and then is not enough. */
  private watch(): void {
    this.cancelTimer?.()
    this.cancelTimer = null
    if (this.socket.destroyed) return
    const { clock, limits } = this.broker
    // whoever waits for answers need not send on; whoever waits for room has its time for that too
    const isStalled = this.socket.writableLength > 0 || (this.frames.isWithin && this.waiting.length === 0)
    // while it is being served it may be silent
    if (this.answers.length > 0 && !isStalled) return
    const ms = isStalled ? limits.stallMs : limits.idleMs
    const before = this.movedBytes
    this.cancelTimer = clock.setTimer(ms, () => {
      if (!isStalled) return void this.socket.destroy()
      if (this.movedBytes - before >= PROGRESS_BYTES) return this.watch()
      this.breakOff(new Error(`it took more than ${ms} ms for a request, or to take an answer`))
    })
  }
}

const API_VERSIONS = 18
const SIZE_BYTES = 4
const NOTHING = Buffer.alloc(0)
