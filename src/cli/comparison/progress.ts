import type { SingleBar } from 'cli-progress'
import { activityBar } from '../progress-bar.ts'

const STEPS = 1000

const ETA_BUFFER = 30

/** A bar on standard error that shows how far a comparison is, where that is a terminal; nothing elsewhere. */
export class ComparisonProgress {
  private readonly bar: SingleBar | null

  constructor() {
    this.bar = process.stderr.isTTY ? activityBar(ETA_BUFFER) : null
    this.bar?.start(STEPS, 0, { what: 'warming up' })
  }

  update(what: string, done: number): void {
    this.bar?.update(Math.round(done * STEPS), { what })
  }

  /** Clears the bar: the report takes its place. */
  stop(): void {
    this.bar?.stop()
  }
}
