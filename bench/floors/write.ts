import { closeSync, openSync, writevSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import { inFlightFor, repeatFor } from '../loops.ts'
import { BATCH_RECORDS, payloads } from '../payloads.ts'
import type { Sample, Scale, Variant } from '../workload.ts'
import { Tail } from './tail.ts'

/** The bare minimum that any log must do to take records, each as a variant to compare with: R1 to R3 and R5. */
const CHUNK_BYTES = 1024 * 1024
/** Of R5, in front of each record: length and CRC-32. */
export const FRAME_BYTES = 4 + 4

/** R1: `writev` of the same bytes in chunks of 1 MiB, no sync. */
export function writeChunks(recordBytes: number): Variant {
  const records = Math.ceil(CHUNK_BYTES / recordBytes)
  const all = payloads(recordBytes)
  const vector = [Buffer.concat(Array.from({ length: records }, (_, i) => all[i % all.length]))]
  return {
    name: 'R1',
    isFloor: true,
    async run(directory, scale) {
      const fd = openSync(`${directory}/floor`, 'w')
      try {
        return await repeatFor(scale, { recordBytes, records }, () => void writevSync(fd, vector))
      } finally {
        closeSync(fd)
      }
    },
  }
}

/** R2: one record at a time, `writeSync` and `fdatasyncSync`; R2p: on a file that was written before. */
export function syncEach(recordBytes: number, options: { preallocated: boolean }): Variant {
  const values = payloads(recordBytes)
  return onTail('R2', options, (tail, scale) =>
    repeatFor(scale, { recordBytes }, (i) => {
      tail.write(values[i % values.length])
      tail.syncAndWait()
    }),
  )
}

/** R2a: as R2, but the fdatasync leaves the event loop free, as it must in a program that does other things too. */
export function syncEachAside(recordBytes: number): Variant {
  const values = payloads(recordBytes)
  return onTail('R2a', { preallocated: false }, (tail, scale) =>
    repeatFor(scale, { recordBytes }, (i) => {
      tail.write(values[i % values.length])
      return tail.sync()
    }),
  )
}

/** R3: everything pending in one write and one fdatasync, then resolve all; R3p: on a file that was written before. */
export function groupCommit(recordBytes: number, inFlight: number, options: { preallocated: boolean }): Variant {
  const values = payloads(recordBytes)
  return onTail('R3', options, (tail, scale) => {
    const commit = groupCommitLoop(tail, inFlight * recordBytes)
    return inFlightFor(scale, { recordBytes, inFlight }, (i) => commit(values[i % values.length]))
  })
}

/** R3 on each of so many files, written in turn. */
export function groupCommits(recordBytes: number, inFlight: number, files: number): Variant {
  const values = payloads(recordBytes)
  return {
    name: `R3 x ${files}`,
    isFloor: true,
    async run(directory, scale) {
      const tails = Array.from({ length: files }, (_, i) => Tail.create(`${directory}/floor-${i}`))
      const commits = tails.map((tail) => groupCommitLoop(tail, inFlight * recordBytes))
      try {
        return await inFlightFor(scale, { recordBytes, inFlight }, (i) => commits[i % files](values[i % values.length]))
      } finally {
        for (const tail of tails) tail.close()
      }
    },
  }
}

/** R3 of values that are encoded as they come. */
export function encodedGroupCommit<T>(
  name: string,
  values: readonly T[],
  encode: (value: T) => Buffer,
  { recordBytes, inFlight }: { recordBytes: number; inFlight: number },
): Variant {
  const bytesMax = values.reduce((max, value) => Math.max(max, encode(value).length), 0)
  return onTail(name, { preallocated: false }, (tail, scale) => {
    const commit = groupCommitLoop(tail, inFlight * bytesMax)
    return inFlightFor(scale, { recordBytes, inFlight }, (i) => commit(encode(values[i % values.length])))
  })
}

function groupCommitLoop(tail: Tail, bufferBytes: number): (value: Buffer) => Promise<void> {
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
      tail.write(buffer, length)
      await tail.sync()
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
  return onTail('R5', { preallocated: false }, (tail, scale) => {
    const buffer = Buffer.allocUnsafeSlow(BATCH_RECORDS * (recordBytes + FRAME_BYTES))
    return repeatFor(scale, { recordBytes, records: BATCH_RECORDS }, (i) => {
      frame(buffer, values, i * BATCH_RECORDS)
      tail.write(buffer)
      return options.sync ? tail.sync() : undefined
    })
  })
}

/** Lays 1,000 of the values into `buffer` as R5 does, beginning with number `first`; returns where they end. */
export function frame(buffer: Buffer, values: readonly Buffer[], first: number): number {
  let at = 0
  for (let i = 0; i < BATCH_RECORDS; i++) {
    const value = values[(first + i) % values.length]
    buffer.writeUInt32LE(value.length, at)
    buffer.writeUInt32LE(crc32(value), at + 4)
    at += FRAME_BYTES
    at += value.copy(buffer, at)
  }
  return at
}

function onTail(
  name: string,
  { preallocated }: { preallocated: boolean },
  run: (tail: Tail, scale: Scale) => Promise<Sample>,
): Variant {
  return {
    name: preallocated ? `${name}p` : name,
    isFloor: true,
    async run(directory, scale) {
      const path = `${directory}/floor`
      const tail = preallocated ? Tail.createPreallocated(path) : Tail.create(path)
      try {
        return await run(tail, scale)
      } finally {
        tail.close()
      }
    },
  }
}
