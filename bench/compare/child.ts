/**
 * Does one job in a process of its own, so that no run inherits memory, compiled code or open files from another, and
 * prints what it found as a line of JSON.
 */
import { readFileSync } from 'node:fs'
import { coalesce } from './coalesce.ts'
import { BATCH_RECORDS, type Found, type Job, type Work } from './job.ts'
import { PEERS } from './peers.ts'
import type { Acknowledge, Peer, Store } from './peer.ts'
import { checkRecord, RecordSource } from './records.ts'
import { keepInFlight, repeat } from './timing.ts'

/** A read at random takes about a microsecond where it is fastest, and the clock a tenth of that. */
const TIMED_READ_EACH = 16

const job = JSON.parse(process.argv[2]) as Job
const found = await work(await (await PEERS[job.peer]()).load(job.varveUrl))
// some stores keep handles open after they were closed
process.stdout.write(`${JSON.stringify(found)}\n`, () => process.exit(0))

function work(peer: Peer): Promise<Found> {
  const { seconds, recordBytes, records } = job
  const works: Record<Work, () => Promise<Found>> = {
    load: async () => ({}),
    'fill-each': () => fill(peer, 'each', (store, source) => repeat(seconds, 1, 1, () => store.append(source.next()))),
    'fill-group': () =>
      fill(peer, 'group', (store, source) => {
        const append = peer.groupsCommits ? store.append : coalesce(store.appendBatch)
        return keepInFlight(seconds, () => append(source.next()))
      }),
    'fill-batch': () => fill(peer, 'group', appendBatches),
    'fill-os': () => fill(peer, 'unsynced', appendBatches),
    prepare: () =>
      fill(peer, 'unsynced', async (store, source) => {
        for (let done = 0; done < records; done += BATCH_RECORDS) await store.appendBatch(source.batch(BATCH_RECORDS))
        return {}
      }),
    'count-syncs': () =>
      fill(peer, job.batches === 0 ? 'each' : 'group', async (store, source) => {
        for (let i = 0; i < job.appends!; i++) await store.append(source.next())
        for (let i = 0; i < job.batches!; i++) await store.appendBatch(source.batch(BATCH_RECORDS))
        return {}
      }),
    replay: () => read(peer, replay),
    'read-random': () =>
      read(peer, (store) => {
        const next = places(records)
        return repeat(seconds, 1, TIMED_READ_EACH, () => {
          const sequence = next()
          const record = store.read(sequence)
          if (!(record instanceof Promise)) return checkRecord(record, recordBytes, sequence)
          return record.then((value) => checkRecord(value, recordBytes, sequence))
        })
      }),
    open: async () => {
      const startMs = performance.now()
      const store = await peer.open(job.directory, { acknowledge: 'unsynced', recordBytes })
      checkRecord(await store.read(0), recordBytes, 0)
      const ms = performance.now() - startMs
      await store.close()
      return { ms }
    },
  }
  return works[job.work]()
}

async function fill(
  peer: Peer,
  acknowledge: Acknowledge,
  action: (store: Store, source: RecordSource) => Promise<Found>,
): Promise<Found> {
  const store = await peer.open(job.directory, { acknowledge, recordBytes: job.recordBytes })
  const result = await action(store, new RecordSource(job.recordBytes))
  await store.close()
  return result
}

function appendBatches(store: Store, source: RecordSource): Promise<Found> {
  return repeat(job.seconds, BATCH_RECORDS, 1, () => store.appendBatch(source.batch(BATCH_RECORDS)))
}

async function read(peer: Peer, action: (store: Store) => Promise<Found>): Promise<Found> {
  const store = await peer.open(job.directory, { acknowledge: 'unsynced', recordBytes: job.recordBytes })
  const result = await action(store)
  await store.close()
  return result
}

async function replay(store: Store): Promise<Found> {
  let count = 0
  const startMs = performance.now()
  await store.replay((record) => checkRecord(record, job.recordBytes, count++))
  const seconds = (performance.now() - startMs) / 1000
  if (count !== job.records) throw new Error(`replayed ${count} of ${job.records} records`)
  return { recordsPerSecond: count / seconds, peakRssBytes: peakRssBytes() }
}

/** Of this process alone where the system tells; what it calls the greatest elsewhere may include the parent's. */
function peakRssBytes(): number {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS * 1024
  return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))![1]) * 1024
}

/** The same places for every store. */
function places(records: number): () => number {
  let state = 1
  return () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    return Math.floor((state / 2 ** 32) * records)
  }
}
