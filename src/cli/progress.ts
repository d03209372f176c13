import { clearLine, cursorTo } from 'node:readline'
import type { SingleBar } from 'cli-progress'
import { say } from './output.ts'
import { progressBar } from './progress-bar.ts'
import { formatBytes, formatCount } from './units.ts'

const UPDATE_MS = 100
const ETA_BUFFER = 50

/** What has been done so far. */
export interface ProgressState {
  /** In the unit of the total. */
  done: number
  /** Left out where records are not counted. */
  records?: number
}

/**
 * A progress bar on standard error with rate and time left, where that is a terminal; nothing at all elsewhere.
 *
 * Without a total it shows what is done and how fast.
 */
export class Progress {
  private readonly bar: SingleBar | null
  private readonly started = performance.now()
  private shown = 0

  /**
   * @param total what `done` will reach, or null when nobody knows
   * @param unit  how `done` is counted
   * @param wanted false: show nothing
   */
  constructor(
    total: number | null,
    private readonly unit: 'bytes' | 'records',
    wanted: boolean,
  ) {
    const format = total === null ? '{text}' : '{bar} {percentage}%  {text}  {eta_formatted} left'
    this.bar = wanted && process.stderr.isTTY ? progressBar(format, ETA_BUFFER) : null
    this.bar?.start(total ?? 0, 0, this.payload({ done: 0 }))
  }

  /** Cheap enough to be called for every chunk of work. */
  update(state: ProgressState): void {
    if (this.bar === null) return
    const now = performance.now()
    if (now - this.shown < UPDATE_MS) return
    this.shown = now
    this.bar.update(state.done, this.payload(state))
  }

  /** Prints a line above the bar. */
  say(text: string): void {
    if (this.bar !== null) {
      cursorTo(process.stderr, 0)
      clearLine(process.stderr, 0)
    }
    say(text)
  }

  /** Clears the bar: the summary takes its place. */
  stop(): void {
    this.bar?.stop()
  }

  private payload({ done, records }: ProgressState): object {
    const seconds = Math.max((performance.now() - this.started) / 1000, 0.001)
    const parts: string[] = []
    if (this.unit === 'bytes') parts.push(formatBytes(done))
    if (records !== undefined)
      parts.push(`${formatCount(records)} records`, `${formatCount(records / seconds)} records/s`)
    else parts.push(`${formatBytes(done / seconds)}/s`)
    return { text: parts.join('  ') }
  }
}
