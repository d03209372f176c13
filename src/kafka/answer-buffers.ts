import { POOLED_BYTES_MIN, type BufferPool } from '../codec/buffer-pool.ts'

/** The memory of one answer: used again when that has been sent. */
export class AnswerBuffers {
  private readonly taken: Buffer[] = []

  /** @param onTaken told how many bytes are taken */
  constructor(
    private readonly pool: BufferPool,
    private readonly onTaken: (bytes: number) => void,
  ) {}

  /** A buffer of so many bytes, with anything in it. */
  readonly allocate = (bytes: number): Buffer => {
    this.onTaken(bytes)
    if (bytes < POOLED_BYTES_MIN) return Buffer.allocUnsafeSlow(bytes)
    const buffer = this.pool.take(bytes)
    this.taken.push(buffer)
    return buffer.subarray(0, bytes)
  }

  /** Nobody reads them any more. */
  release(): void {
    for (const buffer of this.taken.splice(0)) this.pool.give(buffer)
  }
}
