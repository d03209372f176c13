import { closeSync, fdatasync, fdatasyncSync, openSync, writeSync } from 'node:fs'
import { promisify } from 'node:util'
import { disk } from '../disk.ts'

const datasync = promisify(fdatasync)
const PREALLOCATED_BYTES = 64 * 1024 * 1024

/** The file of a floor, written from its start to its end. */
export class Tail {
  private position = 0

  /** @param endBytes where it begins again from its start */
  private constructor(
    private readonly fd: number,
    private readonly endBytes: number,
  ) {}

  /** A file that grows as it is written. */
  static create(path: string): Tail {
    return new Tail(openSync(path, 'w+'), Infinity)
  }

  /**
   * A file of zeros that are on the disk already, so that a sync need not record a new size or new blocks. Written over
   * and over, because what counts is that its blocks were written before.
   */
  static createPreallocated(path: string): Tail {
    const fd = openSync(path, 'w+')
    const zeros = Buffer.alloc(1024 * 1024)
    for (let at = 0; at < PREALLOCATED_BYTES;) at += writeSync(fd, zeros, 0, zeros.length, at)
    fdatasyncSync(fd)
    return new Tail(fd, PREALLOCATED_BYTES)
  }

  write(bytes: Buffer, length = bytes.length): void {
    if (this.position + length > this.endBytes) this.position = 0
    for (let done = 0; done < length;) done += writeSync(this.fd, bytes, done, length - done, this.position + done)
    this.position += length
  }

  async sync(): Promise<void> {
    await datasync(this.fd)
    disk.synced()
  }

  syncAndWait(): void {
    fdatasyncSync(this.fd)
    disk.synced()
  }

  close(): void {
    closeSync(this.fd)
  }
}
