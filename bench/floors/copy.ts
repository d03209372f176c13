import { closeSync, fdatasync, openSync, read, writeSync } from 'node:fs'
import { promisify } from 'node:util'
import { passOver } from '../loops.ts'
import type { Variant } from '../workload.ts'

const CHUNK_BYTES = 1024 * 1024

const readAt = promisify(read)
const datasync = promisify(fdatasync)

/** The same bytes read and written in chunks of 1 MiB, and one fdatasync at the end. */
export function copyChunks(size: { recordBytes: number; records: number }): Variant {
  const totalBytes = size.recordBytes * size.records
  return {
    name: 'copy',
    isFloor: true,
    async run(directory) {
      const from = openSync(`${directory}/floor-from`, 'w+')
      const to = openSync(`${directory}/floor-to`, 'w+')
      const chunk = Buffer.alloc(CHUNK_BYTES, 7)
      try {
        for (let at = 0; at < totalBytes; at += CHUNK_BYTES) writeSync(from, chunk, 0, chunk.length, at)
        await datasync(from)
        return await passOver(size, async () => {
          for (let at = 0; at < totalBytes; at += CHUNK_BYTES) {
            await readAt(from, chunk, 0, chunk.length, at)
            writeSync(to, chunk, 0, chunk.length, at)
          }
          await datasync(to)
          return size.records
        })
      } finally {
        closeSync(from)
        closeSync(to)
      }
    },
  }
}
