import { compareFlushModes } from '../../src/cli/comparison/comparison.ts'
import { writeFileSync } from 'node:fs'
import { ComparisonProgress } from '../../src/cli/comparison/progress.ts'
import { comparisonReport } from '../../src/cli/comparison/report.ts'
import { comparisonSvg } from '../../src/cli/comparison/svg.ts'
import type { Earthquake } from './earthquakes.ts'
import type { Stage } from './stage.ts'

interface CompareOptions {
  directory: string
  events: readonly Earthquake[]
  seconds: number
  /** Where to write the picture. */
  svg: string | undefined
  signal: AbortSignal
}

/** Measures on this disk what each flush mode costs and what it buys, with the same events. */
export async function compare(
  stage: Stage,
  { directory, events, seconds, svg, signal }: CompareOptions,
): Promise<void> {
  stage.step('Compare', `what durability costs on this disk, with these events: about ${seconds} seconds`)
  const progress = new ComparisonProgress()
  try {
    const comparison = await compareFlushModes({
      directory,
      values: events.map(({ bytes }) => bytes),
      seconds,
      signal,
      progress: (what, done) => progress.update(what, done),
    })
    progress.stop()
    console.log()
    for (const line of comparisonReport(comparison, stage.columns, stage.ink)) console.log(line)
    if (svg !== undefined) writeFileSync(svg, comparisonSvg(comparison))
  } finally {
    progress.stop()
  }
}
