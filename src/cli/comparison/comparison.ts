import { mkdir, mkdtemp, rm, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { CliFailure, ExitCode } from '../exit.ts'
import { formatBytes } from '../units.ts'
import { measureLoad, type Bounds, type Cell, type Instruments } from './cell.ts'
import { CountingStorage } from './counting-storage.ts'
import { measureFloor, probeBandwidth, type FloorCell } from './floor.ts'
import { LOADS, type Load } from './loads.ts'
import { LossMeter } from './loss-meter.ts'
import { summarize, type Comparison } from './summary.ts'
import { WatchedClock } from './watched-clock.ts'

/** What to compare, where and for how long. */
export interface ComparisonOptions {
  /** An existing directory on the disk to measure. A temporary one is made in it, and removed at the end. */
  directory: string
  /** What the records hold, used in turn. */
  values: readonly Buffer[]
  /** How long all of it may take, roughly. */
  seconds: number
  signal?: AbortSignal
  /** Told before each measurement: what comes, and how much of all is done, from 0 to 1. */
  progress?: (what: string, done: number) => void
}

const MAX_ROUNDS = 5
/** Below this a measurement says little. */
const ROUND_SECONDS_MIN = 10
/** The part of the time that goes into measuring; opening, closing and removing take the rest. */
const MEASURING_SHARE = 0.8
const WARM_UP_SECONDS = 0.15
const CELL_BYTES_MAX = 1024 ** 3
const CELL_BYTES_MIN = 16 * 1024 ** 2
const FREE_BYTES_MIN = 4 * CELL_BYTES_MIN

/**
 * Measures all flush modes on one disk, in turn and several times over, so that a drift of the machine falls on all of
 * them alike.
 *
 * @throws CliFailure DISK_FULL when there is no room; the reason of `signal` when it aborts
 */
export async function compareFlushModes(options: ComparisonOptions): Promise<Comparison> {
  const started = performance.now()
  const { signal, values } = options
  const freeBytes = await requireSpace(options.directory)
  const directory = await mkdtemp(join(options.directory, '.varve-bench-'))
  try {
    const rounds = Math.min(Math.max(Math.floor(options.seconds / ROUND_SECONDS_MIN), 1), MAX_ROUNDS)
    const seconds = (options.seconds * MEASURING_SHARE) / rounds / (LOADS.length + 1)
    const bandwidth = probeBandwidth(directory)
    // what a mode leaves unsynced has to reach the disk before the next one starts
    const bytes = Math.min(Math.max(bandwidth * seconds * 2, CELL_BYTES_MIN), CELL_BYTES_MAX, freeBytes / 4)
    const meter = new LossMeter()
    const disk = new CountingStorage(() => meter.look(performance.now()))
    const run = new Run(directory, { values, meter, disk, watch: new WatchedClock() }, { seconds, bytes, signal })
    await run.warmUp()
    const roundsStarted = performance.now()
    for (let round = 0; round < rounds && hasTime(options.seconds, started, roundsStarted, round); round++) {
      await run.round((what, index) => {
        options.progress?.(what, (round + index / (LOADS.length + 1)) / rounds)
      })
    }
    const { floors, cells } = run
    const elapsed = (performance.now() - started) / 1000
    return summarize({ directory: options.directory, seconds: elapsed, bandwidth, values, floors, cells })
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** The measurements so far. */
class Run {
  readonly floors: FloorCell[] = []
  readonly cells: Cell[][] = LOADS.map(() => [])
  private used = 0

  constructor(
    private readonly directory: string,
    private readonly instruments: Instruments,
    private readonly bounds: Bounds,
  ) {}

  /** Lets the compiler see the code before anything counts. */
  async warmUp(): Promise<void> {
    const bounds = { ...this.bounds, seconds: WARM_UP_SECONDS }
    for (const load of LOADS.slice(-2)) await this.measure(load, bounds)
  }

  async round(progress: (what: string, index: number) => void): Promise<void> {
    progress('writeSync + fdatasync', 0)
    this.floors.push(
      await this.inDirectory(async (directory) => measureFloor(directory, this.bounds, this.instruments.values)),
    )
    for (const [index, load] of LOADS.entries()) {
      progress(load.inFlight === 1 ? load.name : `${load.name}, ${load.inFlight} in flight`, index + 1)
      this.cells[index].push(await this.measure(load, this.bounds))
    }
  }

  private async measure(load: Load, bounds: Bounds): Promise<Cell> {
    const cell = await this.inDirectory((directory) => measureLoad(load, directory, bounds, this.instruments))
    bounds.signal?.throwIfAborted()
    return cell
  }

  private async inDirectory<T>(action: (directory: string) => Promise<T>): Promise<T> {
    this.bounds.signal?.throwIfAborted()
    const directory = join(this.directory, String(this.used++))
    await mkdir(directory)
    try {
      return await action(directory)
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  }
}

/** Whether another round fits, if it takes as long as those before. */
function hasTime(seconds: number, started: number, roundsStarted: number, rounds: number): boolean {
  if (rounds === 0) return true
  const now = performance.now()
  return now + (now - roundsStarted) / rounds <= started + seconds * 1000 * 1.1
}

async function requireSpace(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory)
  const free = bavail * bsize
  if (free >= FREE_BYTES_MIN) return free
  const needed = `${formatBytes(free)} free, and the comparison needs ${formatBytes(FREE_BYTES_MIN)}`
  throw new CliFailure(ExitCode.failed, 'DISK_FULL', `'${directory}' has ${needed}: choose another directory`, {
    path: directory,
  })
}
