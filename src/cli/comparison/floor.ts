import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs'
import type { RecordableHistogram } from 'node:perf_hooks'
import { latencyHistogram, type Bounds, type Cell } from './cell.ts'
import { NO_LOSS } from './loss-meter.ts'

const CHUNK_BYTES = 1024 * 1024
const PROBE_CHUNKS = 16

/** The least that durability can cost: one record at a time, `writeSync` and `fdatasyncSync`, and no log around it. */
export interface FloorCell extends Cell {
  /** Nanoseconds of the syncs alone. */
  syncLatency: RecordableHistogram
}

/** Runs the bare loop on a fresh file in `directory` until a bound is reached. */
export function measureFloor(directory: string, bounds: Bounds, values: readonly Buffer[]): FloorCell {
  const fd = openSync(`${directory}/floor`, 'w')
  try {
    const latency = latencyHistogram()
    const syncLatency = latencyHistogram()
    const start = performance.now()
    const deadline = start + bounds.seconds * 1000
    let records = 0
    let bytes = 0
    for (let before = start; before < deadline && bytes < bounds.bytes;) {
      const value = values[records++ % values.length]
      writeWhole(fd, value, bytes)
      bytes += value.length
      const written = performance.now()
      fdatasyncSync(fd)
      const now = performance.now()
      latency.record(Math.max(1, Math.round((now - before) * 1e6)))
      syncLatency.record(Math.max(1, Math.round((now - written) * 1e6)))
      before = now
    }
    const seconds = (performance.now() - start) / 1000
    return { records, bytes, seconds, latency, syncLatency, syncs: { log: records, other: 0 }, loss: NO_LOSS }
  } finally {
    closeSync(fd)
  }
}

/** Bytes per second that the disk takes in large pieces, the sync included: what bounds a run on a slow disk. */
export function probeBandwidth(directory: string): number {
  const fd = openSync(`${directory}/probe`, 'w')
  try {
    const chunk = Buffer.alloc(CHUNK_BYTES, 'varve ')
    const start = performance.now()
    for (let i = 0; i < PROBE_CHUNKS; i++) writeWhole(fd, chunk, i * CHUNK_BYTES)
    fdatasyncSync(fd)
    return (PROBE_CHUNKS * CHUNK_BYTES) / ((performance.now() - start) / 1000)
  } finally {
    closeSync(fd)
  }
}

function writeWhole(fd: number, bytes: Buffer, position: number): void {
  for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done, bytes.length - done, position + done)
}
