import { closeSync, fsyncSync, mkdirSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { median } from '../statistics.ts'
import { BATCH_RECORDS, type Found } from './job.ts'
import { runJob } from './processes.ts'
import { spread, type Failure, type PeerResult } from './results.ts'
import { WORKLOADS, type Workload } from './workloads.ts'

/** How much a run does. */
export interface Scale {
  /** How long each timed loop goes on. */
  seconds: number
  rounds: number
  /** Records of the stores that are read. */
  records(recordBytes: number): number
}

/** What the rounds tell while they go. */
export interface Listener {
  step(text: string): void
}

const DATA_DIRECTORY = fileURLToPath(new URL('../.data', import.meta.url))

/** A directory of its own on the disk that is measured, removed afterwards. */
export async function withDirectory<T>(action: (directory: string) => Promise<T>): Promise<T> {
  mkdirSync(DATA_DIRECTORY, { recursive: true })
  const directory = mkdtempSync(`${DATA_DIRECTORY}/compare-`)
  try {
    return await action(directory)
  } finally {
    rmSync(directory, { recursive: true, force: true })
    settle()
  }
}

/** Waits until the file system's journal has what was done, the removal above all, so that the next run need not. */
function settle(): void {
  if (process.platform === 'win32') return
  const directory = openSync(DATA_DIRECTORY, 'r')
  fsyncSync(directory)
  closeSync(directory)
}

/** Rounds of all workloads, each with all peers in turn; the one that begins changes from round to round. */
export class Comparison {
  readonly failures: Failure[] = []
  private readonly found = new Map<Workload, Map<string, Found[]>>()

  /** @param nonDurable peers that sync less than they acknowledge: they are left out where it counts */
  constructor(
    private readonly peers: string[],
    private readonly nonDurable: string[],
    private readonly scale: Scale,
    private readonly listener: Listener,
  ) {
    for (const workload of WORKLOADS) this.found.set(workload, new Map())
  }

  /** How many steps {@link run} takes, if nothing fails. */
  get steps(): number {
    const stores = this.peers.length * new Set(WORKLOADS.map(({ recordBytes }) => recordBytes)).size
    const runs = WORKLOADS.filter(({ metric }) => metric !== 'peakRssBytes')
    return stores + this.scale.rounds * runs.reduce((sum, workload) => sum + this.peersOf(workload).length, 0)
  }

  async run(): Promise<void> {
    await withDirectory(async (directory) => {
      const stores = new Map<string, string>()
      for (const recordBytes of new Set(WORKLOADS.map((workload) => workload.recordBytes))) {
        for (const peer of this.peers) await this.prepare(peer, recordBytes, directory, stores)
      }
      for (let round = 0; round < this.scale.rounds; round++) {
        for (const workload of WORKLOADS) await this.runWorkload(workload, round, stores)
      }
    })
  }

  /** What was found of a workload, peer by peer. */
  resultsOf(workload: Workload, versions: ReadonlyMap<string, string>): PeerResult[] {
    return this.peers.flatMap((name) => {
      const found = this.found.get(workload)!.get(name)
      if (found === undefined) return []
      const measured = { [workload.metric]: spread(found.map((one) => one[workload.metric]!)) }
      const latencies = found.flatMap(({ latencyUs }) => latencyUs ?? [])
      const middle = (of: 'p50' | 'p99' | 'max') => median(latencies.map((latency) => latency[of]))
      const latencyUs = { p50: middle('p50'), p99: middle('p99'), max: middle('max') }
      const { durable } = workload
      return [{ name, version: versions.get(name)!, ...measured, ...(latencies.length > 0 && { latencyUs }), durable }]
    })
  }

  private peersOf(workload: Workload): string[] {
    return workload.durable ? this.peers.filter((peer) => !this.nonDurable.includes(peer)) : this.peers
  }

  private async prepare(peer: string, recordBytes: number, parent: string, stores: Map<string, string>): Promise<void> {
    const directory = `${parent}/${peer}-${recordBytes}`
    mkdirSync(directory)
    const records = this.scale.records(recordBytes)
    try {
      await runJob({ work: 'prepare', peer, directory, recordBytes, seconds: 0, records })
      stores.set(`${peer} ${recordBytes}`, directory)
    } catch (error) {
      this.fail(peer, 'prepare', recordBytes, error)
    }
    this.listener.step(`${peer} ${recordBytes} B: filled with ${records} records to read`)
  }

  private async runWorkload(workload: Workload, round: number, stores: ReadonlyMap<string, string>): Promise<void> {
    if (workload.metric === 'peakRssBytes') return
    const peers = this.peersOf(workload)
    const first = round % peers.length
    for (const peer of [...peers.slice(first), ...peers.slice(0, first)]) {
      const { name, recordBytes } = workload
      const store = stores.get(`${peer} ${recordBytes}`)
      const failed = this.failures.some(
        (one) => one.name === peer && one.workload === name && one.recordBytes === recordBytes,
      )
      if (!failed && (!workload.reads || store !== undefined)) await this.runOnce(workload, peer, store)
      this.listener.step(`round ${round + 1} of ${this.scale.rounds}: ${name} ${recordBytes} B, ${peer}`)
    }
  }

  private async runOnce(workload: Workload, peer: string, store: string | undefined): Promise<void> {
    const { work, recordBytes, reads } = workload
    const { seconds } = this.scale
    const records = this.scale.records(recordBytes)
    const run = (directory: string) => runJob({ work, peer, directory, recordBytes, seconds, records })
    try {
      const found = reads ? await run(store!) : await withDirectory(run)
      // one process tells of several workloads: replay of its memory too
      for (const one of WORKLOADS.filter((other) => other.work === work && other.recordBytes === recordBytes)) {
        const all = this.found.get(one)!
        all.set(peer, [...(all.get(peer) ?? []), found])
      }
    } catch (error) {
      this.fail(peer, workload.name, recordBytes, error)
    }
  }

  private fail(name: string, workload: string, recordBytes: number, error: unknown): void {
    this.failures.push({ name, workload, recordBytes, message: (error as Error).message })
  }
}

/** A full comparison: 100 MB and 200 MB to read. */
export const FULL: Scale = {
  seconds: 0.6,
  rounds: 5,
  records: (recordBytes) => (recordBytes < 1024 ? 1_000_000 : 200_000),
}

/** A quick look, to see that everything works. */
export const QUICK: Scale = {
  seconds: 0.3,
  rounds: 1,
  records: (recordBytes) => (recordBytes < 1024 ? 100 : 20) * BATCH_RECORDS,
}
