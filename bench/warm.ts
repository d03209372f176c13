import { closeSync, openSync, readdirSync, readSync } from 'node:fs'
import { join } from 'node:path'

const CHUNK_BYTES = 1024 * 1024

/** Reads every file below a directory, so that what is measured next finds them in the page cache. */
export function warm(directory: string): void {
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES)
  for (const entry of readdirSync(directory, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue
    const fd = openSync(join(entry.parentPath, entry.name), 'r')
    try {
      for (let position = 0, length = 1; length > 0; position += length) {
        length = readSync(fd, chunk, 0, CHUNK_BYTES, position)
      }
    } finally {
      closeSync(fd)
    }
  }
}
