import type { Socket } from 'node:net'
import { FieldReader, FieldWriter } from '../codec/fields.ts'
import { VarveError } from '../errors.ts'
import type { Api, Call } from './api.ts'
import type { Broker } from './broker.ts'
import { FrameReader, type Frame } from './frames.ts'

/** Answers that the other side has not taken: more is not made before they have gone out. */
const UNSENT_BYTES_MAX = 4 * 1024 * 1024
/** What has to move within the time for a request or an answer that is not through by then. */
const PROGRESS_BYTES = 1024 * 1024

/** How long a client that has all its answers is waited for to close its side. */
const LINGER_MS = 250

/** One client's connection: takes its requests in order and answers them in order. */
export class KafkaConnection {
  private readonly frames: FrameReader
  /** The answers to come, in order. */
  private readonly answers: { body: Promise<Buffer[] | null>; bytes: number; answered: () => void }[] = []
  /** Requests that are whole and wait for those before them. */
  private readonly waiting: Frame[] = []
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
    this.frames = new FrameReader(broker.limits.maxRequestBytes, broker.buffers)
    socket.setNoDelay(true)
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        this.cancelTimer?.()
        for (const leave of this.leaving) leave()
        resolve()
      })
    })
    socket.on('error', () => {})
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

  /** Calls `listener` when the connection is gone; returns a function that takes this back. */
  onClosed(listener: () => void): () => void {
    if (this.socket.destroyed) listener()
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
    try {
      for (const frame of this.frames.push(chunk)) {
        this.broker.queued.add(frame.bytes.length)
        this.waiting.push(frame)
        isProgress = true
      }
    } catch (error) {
      return this.breakOff(error)
    }
    this.goOn()
    if (isProgress) this.watch()
  }

  /** Starts whatever may be started, and reads on or not. */
  private goOn(): void {
    while (this.waiting.length > 0 && this.mayStart(this.waiting[0].bytes)) this.start(this.waiting.shift()!)
    const isFull = this.waiting.length > 0 || this.broker.queued.isFull
    if (isFull && !this.socket.isPaused()) {
      this.socket.pause()
      if (this.broker.queued.isFull) this.broker.queued.onRoom(() => this.goOn())
    } else if (!isFull && this.socket.isPaused()) this.socket.resume()
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
    return isPipelined && this.answers.length < this.broker.limits.maxInFlightRequests
  }

  private start({ bytes, pooled }: Frame): void {
    const listeners: (() => void)[] = []
    if (pooled !== null && this.broker.apis.get(bytes.readInt16BE(0))?.isTransient)
      listeners.push(() => this.broker.buffers.give(pooled))
    const body = this.serve(bytes, (listener) => listeners.push(listener))
    const answered = () => {
      for (const listener of listeners) listener()
    }
    // it is awaited in its turn
    body.catch(() => {})
    this.answers.push({ body, bytes: bytes.length, answered })
    if (!this.isAnswering) void this.answer()
  }

  private async answer(): Promise<void> {
    this.isAnswering = true
    while (this.answers.length > 0) {
      const { body, bytes, answered } = this.answers[0]
      try {
        const pieces = await body
        if (pieces !== null && !this.socket.destroyed) this.send(pieces, answered)
        else answered()
      } catch (error) {
        answered()
        this.breakOff(error)
      }
      this.answers.shift()
      this.broker.queued.remove(bytes)
      this.goOn()
      this.watch()
    }
    this.isAnswering = false
  }

  private send(pieces: Buffer[], onSent: () => void): void {
    const size = Buffer.allocUnsafe(4)
    size.writeInt32BE(pieces.reduce((sum, { length }) => sum + length, 0))
    this.socket.cork()
    this.socket.write(size)
    for (const piece of pieces) if (piece.length > 0) this.socket.write(piece)
    // called when all is written, and when the connection ends before
    this.socket.write(NOTHING, onSent)
    this.socket.uncork()
  }

  private async serve(frame: Buffer, onAnswered: (listener: () => void) => void): Promise<Buffer[] | null> {
    const reader = new FieldReader(frame, 'a request', 'INVALID_REQUEST')
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
      onAnswered,
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
    const isStalled = this.socket.writableLength > 0 || (this.frames.isWithin && !this.socket.isPaused())
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
const NOTHING = Buffer.alloc(0)
