import { POOLED_BYTES_MIN, type BufferPool } from '../codec/buffer-pool.ts'
import { VarveError } from '../errors.ts'

const SIZE_BYTES = 4
/** From here on what has come is copied together at once: to copy all of it with the last piece would take long. */
const COLLECTED_BYTES_MIN = 1024 * 1024
/** The smallest request: a header without a client's name. */
const LEAST_BYTES = 10
const KEY_BYTES = 2
/** What comes in smaller pieces is copied together: each costs more memory than it holds. */
const PIECE_BYTES_MIN = 1024

/** One request, without its length. */
export interface Frame {
  bytes: Buffer
  /** What of the pool it lies in, if it does: whoever knows that nobody needs it any more may give it back. */
  pooled: Buffer | null
}

/**
 * Puts the requests of one connection together: each is its length in 4 bytes, then so many bytes.
 *
 * A length is checked before anything else, and no more room is made than for as much again as has come.
 */
export class FrameReader {
  private readonly pieces: Buffer[] = []
  private have = 0
  /** Of the frame that is coming; null while its length is not known. */
  private size: number | null = null
  /** The last piece, when it was copied together and has room; and how much of it is used. */
  private gathered: Buffer | null = null
  private gatheredBytes = 0
  /** A large frame as far as it has come, and how far that is. */
  private collected: Buffer | null = null
  private collectedBytes = 0

  /**
   * @param maxBytes       the largest request
   * @param plainMaxBytes  the largest one that brings no records
   * @param bringsRecords  tells the kinds of requests apart, by their API keys
   */
  constructor(
    private readonly maxBytes: number,
    private readonly plainMaxBytes: number,
    private readonly bringsRecords: (key: number) => boolean,
    private readonly pool: BufferPool,
  ) {}

  /** Whether a frame has begun and is not whole. */
  get isWithin(): boolean {
    return this.have > 0 || this.size !== null
  }

  /**
   * Adds what has come, and gives the frames that are whole now. Small pieces are copied, large ones are not.
   *
   * @throws VarveError INVALID_REQUEST for a length that no request has: nothing after it can be understood
   */
  *push(chunk: Buffer): Generator<Frame> {
    this.add(chunk)
    for (;;) {
      if (this.size === null) {
        if (this.have < SIZE_BYTES) return
        this.size = this.check(this.take(SIZE_BYTES).bytes)
      }
      if (this.have < KEY_BYTES) return
      if (this.collected === null) this.checkKind(this.size)
      if (Math.min(this.size, this.have) >= COLLECTED_BYTES_MIN) this.collect(this.size)
      if (this.have < this.size) return
      const frame = this.collected === null ? this.take(this.size) : this.takeCollected(this.collected, this.size)
      this.size = null
      yield frame
    }
  }

  private add(chunk: Buffer): void {
    const { pieces } = this
    this.have += chunk.length
    if (pieces.length === 0 || chunk.length >= PIECE_BYTES_MIN) {
      this.gathered = null
      pieces.push(chunk)
      return
    }
    if (this.gathered === null || this.gatheredBytes + chunk.length > PIECE_BYTES_MIN) {
      this.gathered = Buffer.allocUnsafeSlow(PIECE_BYTES_MIN)
      this.gatheredBytes = 0
      pieces.push(this.gathered.subarray(0, 0))
    }
    this.gathered.set(chunk, this.gatheredBytes)
    // the front of the last piece may be taken already
    const start = this.gatheredBytes - pieces[pieces.length - 1].length
    this.gatheredBytes += chunk.length
    pieces[pieces.length - 1] = this.gathered.subarray(start, this.gatheredBytes)
  }

  private collect(size: number): void {
    const { pieces, pool } = this
    let target = this.collected ?? pool.take(Math.min(size, 2 * this.have))
    while (pieces.length > 0 && this.collectedBytes < size) {
      const [piece] = pieces
      const part = Math.min(piece.length, size - this.collectedBytes)
      if (this.collectedBytes + part > target.length) {
        const larger = pool.take(Math.min(size, 2 * Math.max(target.length, part)))
        target.copy(larger, 0, 0, this.collectedBytes)
        pool.give(target)
        target = larger
      }
      piece.copy(target, this.collectedBytes, 0, part)
      this.collectedBytes += part
      if (part === piece.length) pieces.shift()
      else pieces[0] = piece.subarray(part)
    }
    this.collected = target
  }

  private takeCollected(pooled: Buffer, size: number): Frame {
    this.have -= size
    this.collected = null
    this.collectedBytes = 0
    return { bytes: pooled.subarray(0, size), pooled }
  }

  /** @throws as {@link push} does, when the kind of the request is known and may not be so large */
  private checkKind(size: number): void {
    if (size <= this.plainMaxBytes) return
    const key = this.pieces[0].length > 1 ? this.pieces[0].readInt16BE(0) : (this.pieces[0][0] << 8) | this.pieces[1][0]
    if (this.bringsRecords(key)) return
    const message = `a request of ${size} bytes brings no records; ${this.plainMaxBytes} are allowed for those`
    throw new VarveError('INVALID_REQUEST', message)
  }

  private check(head: Buffer): number {
    const size = head.readInt32BE(0)
    if (size >= LEAST_BYTES && size <= this.maxBytes) return size
    const text = head.toString('latin1')
    const guess = /^(GET|POST|HEAD|PUT|OPTI|DELE)/.test(text)
      ? ': it speaks HTTP'
      : head[0] === 0x16
        ? ': it speaks TLS'
        : ''
    const message = `a request of ${size} bytes is none of Kafka's${guess}; ${LEAST_BYTES} to ${this.maxBytes} are allowed`
    throw new VarveError('INVALID_REQUEST', message)
  }

  /** The next `size` bytes, of which all are there. */
  private take(size: number): Frame {
    this.have -= size
    const first = this.pieces[0]
    if (first.length >= size) {
      this.pieces[0] = first.subarray(size)
      if (first.length === size) this.pieces.shift()
      return { bytes: first.subarray(0, size), pooled: null }
    }
    const pooled = size < POOLED_BYTES_MIN ? null : this.pool.take(size)
    const whole = pooled?.subarray(0, size) ?? Buffer.allocUnsafe(size)
    let at = 0
    let used = 0
    while (at < size) {
      const piece = this.pieces[used]
      const part = piece.copy(whole, at, 0, Math.min(piece.length, size - at))
      at += part
      if (part === piece.length) used++
      else this.pieces[used] = piece.subarray(part)
    }
    // one by one would take long where they are many
    this.pieces.splice(0, used)
    return { bytes: whole, pooled }
  }
}
