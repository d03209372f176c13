import { closeSync, fdatasync, fdatasyncSync, openSync, read, writeSync, writevSync } from 'node:fs'
import { promisify } from 'node:util'
import { crc32 } from 'node:zlib'
import { inFlightFor, rate, repeatFor, type Variant } from './harness.ts'
import { BATCH_RECORDS, payloads } from './logs.ts'

/** The bare minimum that any log must do, each as a variant to compare with: R1 to R5 of the design. */
const CHUNK_BYTES = 1024 * 1024
const FRAME_BYTES = 4 + 4

const datasync = promisify(fdatasync)
const readAt = promisify(read)

/** R1: `writev` of the same bytes in chunks of 1 MiB, no sync. */
export function writeChunks(recordBytes: number): Variant {
  const records = Math.ceil(CHUNK_BYTES / recordBytes)
  const all = payloads(recordBytes)
  const values = Array.from({ length: records }, (_, i) => all[i % all.length])
  return withFile('R1', async (fd, scale) => {
    const vector = [Buffer.concat(values)]
    return repeatFor(scale, records, () => void writevSync(fd, vector))
  })
}

/** R2: one record at a time, `writeSync` and `fdatasyncSync`. */
export function syncEach(recordBytes: number): Variant {
  const values = payloads(recordBytes)
  return withFile('R2', async (fd, scale) => {
    let position = 0
    return repeatFor(scale, 1, (i) => {
      position += writeSync(fd, values[i % values.length], 0, recordBytes, position)
      fdatasyncSync(fd)
    })
  })
}

/** R3: everything pending in one write and one fdatasync, then resolve all. */
export function groupCommit(recordBytes: number, inFlight: number): Variant {
  const values = payloads(recordBytes)
  return withFile('R3', async (fd, scale) => {
    const commit = groupCommitLoop(fd, inFlight * recordBytes)
    return inFlightFor(scale, inFlight, (i) => commit(values[i % values.length]))
  })
}

/** R3 on each of so many files, written in turn. */
export function groupCommits(recordBytes: number, inFlight: number, files: number): Variant {
  const values = payloads(recordBytes)
  return {
    name: `R3 x ${files}`,
    async run(directory, scale) {
      const fds = Array.from({ length: files }, (_, i) => openSync(`${directory}/floor-${i}`, 'w+'))
      const commits = fds.map((fd) => groupCommitLoop(fd, inFlight * recordBytes))
      try {
        return await inFlightFor(scale, inFlight, (i) => commits[i % files](values[i % values.length]))
      } finally {
        for (const fd of fds) closeSync(fd)
      }
    },
  }
}

function groupCommitLoop(fd: number, bufferBytes: number): (value: Buffer) => Promise<void> {
  let position = 0
  let pending: Buffer[] = []
  let resolves: (() => void)[] = []
  let running = false
  const buffer = Buffer.allocUnsafeSlow(bufferBytes)
  const loop = async () => {
    while (pending.length > 0) {
      const settled = resolves
      let length = 0
      for (const value of pending) length += value.copy(buffer, length)
      pending = []
      resolves = []
      position += writeSync(fd, buffer, 0, length, position)
      await datasync(fd)
      for (const resolve of settled) resolve()
      await new Promise(setImmediate)
    }
    running = false
  }
  return (value) => {
    pending.push(value)
    if (!running) {
      running = true
      setImmediate(() => void loop())
    }
    return new Promise<void>((resolve) => resolves.push(resolve))
  }
}

/** R5: u32 length and CRC-32 in front of each record, one write per batch of 1,000; `sync`: one fdatasync too. */
export function framedBatches(recordBytes: number, options: { sync: boolean }): Variant {
  const values = payloads(recordBytes)
  return withFile('R5', async (fd, scale) => {
    const buffer = Buffer.allocUnsafeSlow(BATCH_RECORDS * (recordBytes + FRAME_BYTES))
    let position = 0
    return repeatFor(scale, BATCH_RECORDS, (i) => {
      frame(buffer, values, i * BATCH_RECORDS)
      position += writeSync(fd, buffer, 0, buffer.length, position)
      return options.sync ? datasync(fd) : undefined
    })
  })
}

function frame(buffer: Buffer, values: Buffer[], first: number): void {
  let at = 0
  for (let i = 0; i < BATCH_RECORDS; i++) {
    const value = values[(first + i) % values.length]
    buffer.writeUInt32LE(value.length, at)
    buffer.writeUInt32LE(crc32(value), at + 4)
    at += FRAME_BYTES
    at += value.copy(buffer, at)
  }
}

/** R5 read back, every CRC checked. */
export function framedReplay(recordBytes: number, records: number): Variant {
  const values = payloads(recordBytes)
  return withFile('R5', async (fd) => {
    const buffer = Buffer.allocUnsafeSlow(BATCH_RECORDS * (recordBytes + FRAME_BYTES))
    for (let done = 0, position = 0; done < records; done += BATCH_RECORDS) {
      frame(buffer, values, done)
      position += writeSync(fd, buffer, 0, buffer.length, position)
    }
    const start = performance.now()
    const chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES)
    let count = 0
    let position = 0
    for (;;) {
      const { bytesRead } = await readAt(fd, chunk, 0, CHUNK_BYTES, position)
      let at = 0
      while (at + FRAME_BYTES <= bytesRead) {
        const end = at + FRAME_BYTES + chunk.readUInt32LE(at)
        if (end > bytesRead) break
        if (crc32(chunk.subarray(at + FRAME_BYTES, end)) !== chunk.readUInt32LE(at + 4)) throw new Error('damaged')
        count++
        at = end
      }
      if (at === 0) break
      position += at
    }
    if (count !== records) throw new Error(`read ${count} of ${records} records`)
    return rate(records, start)
  })
}

/** R4: sequential reads of 1 MiB, each into memory of its own, as a reader must whose records are views of it. */
export function sequentialRead(recordBytes: number, records: number): Variant {
  return withFile('R4', async (fd) => {
    const totalBytes = recordBytes * records
    const ones = Buffer.alloc(CHUNK_BYTES, 7)
    for (let position = 0; position < totalBytes;) position += writeSync(fd, ones, 0, CHUNK_BYTES, position)
    const start = performance.now()
    for (let position = 0; position < totalBytes;) {
      position += (await readAt(fd, Buffer.allocUnsafeSlow(CHUNK_BYTES), 0, CHUNK_BYTES, position)).bytesRead
    }
    return rate(records, start)
  })
}

/** One `pread` of `bytes` at a place chosen at random in `path`. */
export function randomRead(path: (directory: string) => string, fileBytes: number, bytes: number): Variant {
  return {
    name: 'pread',
    async run(directory, scale) {
      const fd = openSync(path(directory), 'r')
      const next = places(Math.floor(fileBytes / bytes))
      try {
        return await repeatFor(scale, 1, () => readAt(fd, Buffer.allocUnsafe(bytes), 0, bytes, next() * bytes))
      } finally {
        closeSync(fd)
      }
    },
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

function withFile(
  name: string,
  run: (fd: number, scale: Parameters<Variant['run']>[1]) => ReturnType<Variant['run']>,
): Variant {
  return {
    name,
    async run(directory, scale) {
      const fd = openSync(`${directory}/floor`, 'w+')
      try {
        return await run(fd, scale)
      } finally {
        closeSync(fd)
      }
    },
  }
}
