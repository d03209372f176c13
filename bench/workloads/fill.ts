import { inFlightFor, openLog, payloads, repeatFor, type Variant, type Workload } from '../harness.ts'
import { framedBatches, groupCommit, syncEach } from '../floors.ts'
import type { Flush } from '../../src/index.ts'

const BATCH_RECORDS = 1000
const IN_FLIGHT = 256

function varve(flush: Flush, run: (call: VarveCall, seconds: number) => Promise<{ records: number; seconds: number }>): Variant {
  return {
    name: 'varve',
    async run(directory, seconds) {
      const log = await openLog(directory, flush)
      const result = await run({ append: (value) => log.append('t', { value }), appendBatch: (records) => log.appendBatch('t', records) }, seconds)
      await log.close()
      return result
    },
  }
}

interface VarveCall {
  append(value: Buffer): Promise<unknown>
  appendBatch(records: { value: Buffer }[]): Promise<unknown>
}

function batches(values: Buffer[]): { value: Buffer }[][] {
  return Array.from({ length: 8 }, (_, b) => Array.from({ length: BATCH_RECORDS }, (_, i) => ({ value: values[(b * BATCH_RECORDS + i) % values.length]! })))
}

/** `appendBatch` of 1,000, no sync. */
export function fillOs(recordBytes: number): Workload {
  const all = batches(payloads(recordBytes))
  const ours = varve('os', (log, seconds) => repeatFor(seconds, BATCH_RECORDS, (i) => log.appendBatch(all[i % all.length]!)))
  return { name: 'fill-os', recordBytes, variants: [ours, framedBatches(recordBytes, { sync: false })], goal: { floor: 'R5', ratio: 0.9 } }
}

/** `appendBatch` of 1,000, durable each. */
export function fillBatch(recordBytes: number): Workload {
  const all = batches(payloads(recordBytes))
  const ours = varve('group', (log, seconds) => repeatFor(seconds, BATCH_RECORDS, (i) => log.appendBatch(all[i % all.length]!)))
  return { name: 'fill-batch', recordBytes, variants: [ours, framedBatches(recordBytes, { sync: true })], goal: { floor: 'R5', ratio: 0.9 } }
}

/** 256 in flight, one promise each, durable. */
export function fillGroup(recordBytes: number): Workload {
  const values = payloads(recordBytes)
  const ours = varve('group', (log, seconds) => inFlightFor(seconds, IN_FLIGHT, (i) => log.append(values[i % values.length]!)))
  return { name: 'fill-group', recordBytes, variants: [ours, groupCommit(recordBytes, IN_FLIGHT)], goal: { floor: 'R3', ratio: 0.8 } }
}

/** One in flight, durable. */
export function fillEach(recordBytes: number): Workload {
  const values = payloads(recordBytes)
  const ours = varve('each', (log, seconds) => repeatFor(seconds, 1, (i) => log.append(values[i % values.length]!)))
  return { name: 'fill-each', recordBytes, variants: [ours, syncEach(recordBytes)], goal: { floor: 'R2', ratio: 0.9 } }
}

/** One in flight, acknowledged when written, at most 10 ms to lose; the floor is ours with `'group'`. */
export function fillWindow(recordBytes: number): Workload {
  const values = payloads(recordBytes)
  const fill = (log: VarveCall, seconds: number) => repeatFor(seconds, 1, (i) => log.append(values[i % values.length]!))
  const group = { ...varve('group', fill), name: "'group'" }
  return { name: 'fill-window', recordBytes, variants: [varve({ ms: 10 }, fill), group], goal: { floor: "'group'", ratio: 20 } }
}
