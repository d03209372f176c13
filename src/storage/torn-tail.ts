import { systemErrorCode } from '../errors.ts'
import { readFully, writeFully, type Storage, type StorageFile } from './storage.ts'

const COPY_CHUNK_BYTES = 1024 * 1024
/** More of a torn tail than this is not worth keeping. */
const MAX_SAVED_BYTES = 64 * 1024 * 1024

/** The bytes to keep for diagnosis; null when they are all zeros, as in a file that grew before its data came. */
export async function readTail(file: StorageFile, start: number, end: number): Promise<Buffer | null> {
  const bytes = Buffer.allocUnsafeSlow(Math.min(end - start, MAX_SAVED_BYTES))
  const tail = bytes.subarray(0, await readFully(file, bytes, start))
  return tail.every((byte) => byte === 0) ? null : tail
}

/** Writes a range over itself, so that the pages are dirty again and the sync that follows means something. */
export async function rewrite(file: StorageFile, start: number, end: number): Promise<void> {
  const chunk = Buffer.allocUnsafeSlow(Math.min(COPY_CHUNK_BYTES, end - start))
  for (let position = start; position < end;) {
    const length = await readFully(file, chunk.subarray(0, Math.min(chunk.length, end - position)), position)
    writeFully(file, chunk.subarray(0, length), position)
    position += length
  }
}

/** Removes a file that may not be there. */
export async function removeIfPresent(storage: Storage, path: string): Promise<void> {
  await storage.removeFile(path).catch((error: unknown) => {
    if (systemErrorCode(error) !== 'ENOENT') throw error
  })
}
