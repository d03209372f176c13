import { Presets, SingleBar } from 'cli-progress'

/** A bar with the time left on a terminal; elsewhere a line each now and then. */
export class Progress {
  private readonly bar = process.stderr.isTTY
    ? new SingleBar(
        { format: '{bar} {percentage} %, {eta_formatted} left: {text}', etaBuffer: 100, stream: process.stderr },
        Presets.shades_classic,
      )
    : null
  private total = 0
  private done = 0

  start(total: number): void {
    this.total = total
    this.bar?.start(total, 0, { text: '' })
  }

  /** One step is done. */
  step(text: string): void {
    this.done++
    if (this.bar !== null) this.bar.increment({ text })
    else if (this.done % Math.ceil(this.total / 20) === 0) console.error(`${this.done} of ${this.total}: ${text}`)
  }

  stop(): void {
    this.bar?.stop()
  }
}
