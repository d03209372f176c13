import { closeSync, openSync, read } from 'node:fs'
import { promisify } from 'node:util'
import { crc32 } from 'node:zlib'
import { passOver, repeatFor } from '../loops.ts'
import { BATCH_RECORDS, payloads } from '../payloads.ts'
import type { Sample, Scale, Variant } from '../workload.ts'
import { Tail } from './tail.ts'
import { frame, FRAME_BYTES } from './write.ts'

/** The bare minimum that any log must do to give records back, each as a variant to compare with: R4 and R5. */
const CHUNK_BYTES = 1024 * 1024

const readAt = promisify(read)

/** R5 read back, every CRC checked. */
export function framedReplay(recordBytes: number, records: number): Variant {
  return framedReplayOf('R5', payloads(recordBytes), { recordBytes, records })
}

/** R5 of certain values read back, every CRC checked; `use` is what is done with each. */
export function framedReplayOf(
  name: string,
  values: readonly Buffer[],
  size: { recordBytes: number; records: number },
  use?: (bytes: Buffer) => unknown,
): Variant {
  return {
    name,
    isFloor: true,
    prepare(directory) {
      const tail = Tail.create(`${directory}/floor-${name}`)
      const buffer = Buffer.allocUnsafeSlow(BATCH_RECORDS * longestFrame(values))
      for (let done = 0; done < size.records; done += BATCH_RECORDS) tail.write(buffer, frame(buffer, values, done))
      tail.close()
    },
    run: (directory) =>
      withFile(`${directory}/floor-${name}`, (fd) => passOver(size, () => readFrames(fd, longestFrame(values), use))),
  }
}

function longestFrame(values: readonly Buffer[]): number {
  return values.reduce((max, { length }) => Math.max(max, length), 0) + FRAME_BYTES
}

async function readFrames(fd: number, frameBytes: number, use?: (bytes: Buffer) => unknown): Promise<number> {
  const chunk = Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, frameBytes))
  let count = 0
  let position = 0
  for (;;) {
    const { bytesRead } = await readAt(fd, chunk, 0, chunk.length, position)
    let at = 0
    while (at + FRAME_BYTES <= bytesRead) {
      const end = at + FRAME_BYTES + chunk.readUInt32LE(at)
      if (end > bytesRead) break
      const value = chunk.subarray(at + FRAME_BYTES, end)
      if (crc32(value) !== chunk.readUInt32LE(at + 4)) throw new Error('damaged')
      use?.(value)
      count++
      at = end
    }
    if (at === 0) return count
    position += at
  }
}

/** R4: sequential reads of 1 MiB, each into memory of its own, as a reader must whose records are views of it. */
export function sequentialRead(recordBytes: number, records: number): Variant {
  const totalBytes = recordBytes * records
  return {
    name: 'R4',
    isFloor: true,
    prepare(directory) {
      const tail = Tail.create(`${directory}/floor-R4`)
      const chunk = Buffer.alloc(CHUNK_BYTES, 7)
      for (let done = 0; done < totalBytes; done += CHUNK_BYTES) tail.write(chunk)
      tail.close()
    },
    run: (directory) =>
      withFile(`${directory}/floor-R4`, (fd) =>
        passOver({ recordBytes, records }, async () => {
          for (let position = 0; position < totalBytes;) {
            position += (await readAt(fd, Buffer.allocUnsafeSlow(CHUNK_BYTES), 0, CHUNK_BYTES, position)).bytesRead
          }
          return records
        }),
      ),
  }
}

/** One `pread` of `bytes` at a place chosen at random in `path`, for each record of `recordBytes`. */
export function randomRead(
  path: (directory: string) => string,
  { fileBytes, bytes, recordBytes }: { fileBytes: number; bytes: number; recordBytes: number },
): Variant {
  return {
    name: 'pread',
    isFloor: true,
    run: (directory, scale: Scale) =>
      withFile(path(directory), (fd) => {
        const next = places(Math.floor(fileBytes / bytes))
        return repeatFor(scale, { recordBytes }, () => readAt(fd, Buffer.allocUnsafe(bytes), 0, bytes, next() * bytes))
      }),
  }
}

/** Integers from 0 to `count` - 1 that jump about, the same ones at every run. */
export function places(count: number): () => number {
  let state = 1
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * count)
  }
}

async function withFile(path: string, action: (fd: number) => Promise<Sample>): Promise<Sample> {
  const fd = openSync(path, 'r')
  try {
    return await action(fd)
  } finally {
    closeSync(fd)
  }
}
