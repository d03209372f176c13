import { closeSync, fdatasync, fdatasyncSync, openSync, read, writeSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import { promisify } from 'node:util'
import { inFlightFor, payloads, repeatFor, type Variant } from './harness.ts'

/** The bare minimum that any log must do, each as a variant to compare with: R1 to R5 of the design. */
const BATCH_RECORDS = 1000
const CHUNK_BYTES = 1024 * 1024
const FRAME_BYTES = 4 + 4

const datasync = promisify(fdatasync)
const readAt = promisify(read)

/** R2: one record at a time, `writeSync` and `fdatasyncSync`. */
export function syncEach(recordBytes: number): Variant {
  const values = payloads(recordBytes)
  return {
    name: 'R2',
    async run(directory, seconds) {
      const fd = openSync(`${directory}/floor`, 'w')
      let position = 0
      const result = await repeatFor(seconds, 1, (i) => {
        position += writeSync(fd, values[i % values.length]!, 0, recordBytes, position)
        fdatasyncSync(fd)
      })
      closeSync(fd)
      return result
    },
  }
}

/** R3: everything pending in one write and one fdatasync, then resolve all. */
export function groupCommit(recordBytes: number, inFlight: number): Variant {
  const values = payloads(recordBytes)
  return {
    name: 'R3',
    async run(directory, seconds) {
      const fd = openSync(`${directory}/floor`, 'w')
      let position = 0
      let pending: Buffer[] = []
      let resolves: (() => void)[] = []
      let running = false
      const buffer = Buffer.allocUnsafeSlow(inFlight * recordBytes)
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
      const result = await inFlightFor(seconds, inFlight, (i) => {
        pending.push(values[i % values.length]!)
        if (!running) {
          running = true
          setImmediate(() => void loop())
        }
        return new Promise<void>((resolve) => resolves.push(resolve))
      })
      closeSync(fd)
      return result
    },
  }
}

/** R5: u32 length and CRC-32 in front of each record, one write per batch of 1,000; `sync`: one fdatasync too. */
export function framedBatches(recordBytes: number, options: { sync: boolean }): Variant {
  const values = payloads(recordBytes)
  return {
    name: 'R5',
    async run(directory, seconds) {
      const fd = openSync(`${directory}/floor`, 'w')
      const buffer = Buffer.allocUnsafeSlow(BATCH_RECORDS * (recordBytes + FRAME_BYTES))
      let position = 0
      const result = await repeatFor(seconds, BATCH_RECORDS, (i) => {
        frame(buffer, values, i * BATCH_RECORDS)
        position += writeSync(fd, buffer, 0, buffer.length, position)
        return options.sync ? datasync(fd) : undefined
      })
      closeSync(fd)
      return result
    },
  }
}

function frame(buffer: Buffer, values: Buffer[], first: number): void {
  let at = 0
  for (let i = 0; i < BATCH_RECORDS; i++) {
    const value = values[(first + i) % values.length]!
    buffer.writeUInt32LE(value.length, at)
    buffer.writeUInt32LE(crc32(value), at + 4)
    at += FRAME_BYTES
    at += value.copy(buffer, at)
  }
}

/** R5 read back, every CRC checked. */
export function framedReplay(recordBytes: number, records: number): Variant {
  const values = payloads(recordBytes)
  return {
    name: 'R5',
    async run(directory) {
      const fd = openSync(`${directory}/floor`, 'w+')
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
      closeSync(fd)
      if (count !== records) throw new Error(`read ${count} of ${records} records`)
      return { records, seconds: (performance.now() - start) / 1000 }
    },
  }
}

/** R4: sequential reads of 1 MiB. */
export function sequentialRead(recordBytes: number, records: number): Variant {
  return {
    name: 'R4',
    async run(directory) {
      const fd = openSync(`${directory}/floor`, 'w+')
      const chunk = Buffer.alloc(CHUNK_BYTES, 7)
      const totalBytes = recordBytes * records
      for (let position = 0; position < totalBytes; ) position += writeSync(fd, chunk, 0, CHUNK_BYTES, position)
      const start = performance.now()
      for (let position = 0; position < totalBytes; ) position += (await readAt(fd, chunk, 0, CHUNK_BYTES, position)).bytesRead
      closeSync(fd)
      return { records, seconds: (performance.now() - start) / 1000 }
    },
  }
}
