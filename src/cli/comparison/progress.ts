import { SingleBar } from 'cli-progress'

const STEPS = 1000

/** A bar on standard error that shows how far a comparison is, where that is a terminal; nothing elsewhere. */
export class ComparisonProgress {
  private readonly bar: SingleBar | null

  constructor() {
    this.bar = process.stderr.isTTY ? createBar() : null
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

function createBar(): SingleBar {
  return new SingleBar({
    format: '  {bar} {percentage}%  {what}  ({eta_formatted} left)',
    barsize: 24,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    clearOnComplete: true,
    hideCursor: true,
    gracefulExit: false,
    etaBuffer: 30,
    stream: process.stderr,
  })
}
