import type { SingleBar } from 'cli-progress'
import { activityBar } from '../src/cli/progress-bar.ts'

const ETA_BUFFER = 60

/** A bar on standard error with the time left, where that is a terminal; nothing elsewhere. */
export class BenchProgress {
  private readonly bar: SingleBar | null
  private done = 0

  constructor(private readonly steps: number) {
    this.bar = process.stderr.isTTY ? activityBar(ETA_BUFFER) : null
    this.start()
  }

  /** A step begins. */
  step(what: string): void {
    this.bar?.update(this.done++, { what })
  }

  /** Prints above the bar. */
  print(lines: readonly string[]): void {
    this.bar?.stop()
    console.log(lines.join('\n'))
    this.start()
  }

  /** Clears the bar. */
  stop(): void {
    this.bar?.stop()
  }

  private start(): void {
    this.bar?.start(this.steps, this.done, { what: '' })
  }
}
