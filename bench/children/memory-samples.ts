const SAMPLES = 100

/** Memory of this process, looked at after each hundredth of so many records. */
export class MemorySamples {
  private readonly rssBytes: number[] = []
  private readonly start = performance.now()

  constructor(private readonly records: number) {}

  /** So many records are done. */
  at(count: number): void {
    if (count >= ((this.rssBytes.length + 1) * this.records) / SAMPLES) this.rssBytes.push(process.memoryUsage.rss())
  }

  /** After each tenth, at most, and how long it took. (What the system calls the most includes that of the parent.) */
  report(): { tenths: number[]; peakRssBytes: number; seconds: number } {
    const tenths = this.rssBytes.filter((_, i) => (i + 1) % (SAMPLES / 10) === 0)
    const seconds = (performance.now() - this.start) / 1000
    return { tenths, peakRssBytes: Math.max(...this.rssBytes), seconds }
  }
}
