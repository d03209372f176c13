/** The least that is handed out. */
const MIN_BYTES = 64 * 1024
/** Whoever needs less than this does as well without a pool: the collector is fast with what is small. */
export const POOLED_BYTES_MIN = 32 * 1024
/** Greater ones are not rounded up to a power of two, and not kept. */
const MAX_BYTES = 64 * 1024 * 1024

/**
 * Buffers that are used over and over: getting one from the system costs more than filling it, and the collector does not
 * see how large it is. Keeps no more than `maxBytes` of those that nobody uses.
 */
export class BufferPool {
  /** By size; the one given back last is taken first. */
  private readonly free = new Map<number, Buffer[]>()
  private freeBytes = 0

  constructor(private readonly maxBytes: number) {}

  /** A buffer of at least `bytes`, with anything in it, for whoever takes it alone. */
  take(bytes: number): Buffer {
    const size = sizeFor(bytes)
    const found = this.free.get(size)?.pop()
    if (found === undefined) return Buffer.allocUnsafeSlow(size)
    this.freeBytes -= size
    return found
  }

  /** Takes back a buffer of this pool that nobody uses any more. */
  give(buffer: Buffer): void {
    const size = buffer.length
    if (size > MAX_BYTES || this.freeBytes + size > this.maxBytes) return
    const same = this.free.get(size)
    if (same === undefined) this.free.set(size, [buffer])
    else same.push(buffer)
    this.freeBytes += size
  }
}

function sizeFor(bytes: number): number {
  if (bytes <= MIN_BYTES) return MIN_BYTES
  return bytes > MAX_BYTES ? bytes : 2 ** Math.ceil(Math.log2(bytes))
}
