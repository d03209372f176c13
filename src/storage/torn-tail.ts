import type { SegmentContext } from './segment-context.ts'
import { segmentFileName } from './segment-name.ts'
import { readFully, removeIfPresent, writeFully, type Storage, type StorageFile } from './storage.ts'

const COPY_CHUNK_BYTES = 1024 * 1024
/** More of a torn tail than this is not worth keeping. */
const MAX_SAVED_BYTES = 64 * 1024 * 1024

/** Where a log stops to be valid. */
export interface TornTail {
  /** The segment's log. */
  file: StorageFile
  /** Bytes of it that are valid. */
  end: number
  /** Bytes that it has. */
  size: number
  /** Base offsets of the segments behind it, of which nothing counts. */
  later: readonly number[]
}

/**
 * Saves what is not valid in `saveDirectory`, durably, then cuts it off and moves the segments behind it there.
 *
 * @returns how many bytes that were, and the files that hold them
 */
export async function setAside(
  { storage, directory }: SegmentContext,
  saveDirectory: string,
  { file, end, size, later }: TornTail,
): Promise<{ cutBytes: number; savedTo: string[] }> {
  const partition = directory.slice(directory.lastIndexOf('/') + 1)
  const savedTo: string[] = []
  let cutBytes = size - end
  const tail = await readTail(file, end, size)
  await storage.makeDirectory(saveDirectory)
  await storage.syncDirectory(saveDirectory.slice(0, saveDirectory.lastIndexOf('/')))
  if (tail !== null) {
    const path = `${saveDirectory}/${partition}-${file.path.slice(file.path.lastIndexOf('/') + 1, -4)}-${end}.cut`
    await removeIfPresent(storage, path)
    const copy = await storage.openFile(path, 'create')
    try {
      writeFully(copy, tail, 0)
      await copy.sync()
    } finally {
      await copy.close()
    }
    savedTo.push(path)
  }
  for (const baseOffset of later) {
    const from = `${directory}/${segmentFileName(baseOffset, '.log')}`
    const to = `${saveDirectory}/${partition}-${segmentFileName(baseOffset, '.log')}`
    cutBytes += await sizeOf(storage, from)
    // after a rename of which a power cut left half, both names are one file, and renaming it again would do nothing
    await removeIfPresent(storage, to)
    await storage.rename(from, to)
    savedTo.push(to)
    await removeIfPresent(storage, `${directory}/${segmentFileName(baseOffset, '.index')}`)
    await removeIfPresent(storage, `${directory}/${segmentFileName(baseOffset, '.timeindex')}`)
  }
  await storage.syncDirectory(saveDirectory)
  if (later.length > 0) await storage.syncDirectory(directory)
  await file.truncate(end)
  return { cutBytes, savedTo }
}

async function sizeOf(storage: Storage, path: string): Promise<number> {
  const file = await storage.openFile(path, 'read')
  try {
    return await file.size()
  } finally {
    await file.close()
  }
}

/** The bytes to keep for diagnosis; null when they are all zeros, as in a file that grew before its data came. */
async function readTail(file: StorageFile, start: number, end: number): Promise<Buffer | null> {
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
