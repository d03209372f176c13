import type { Measured, Metric, Sample, Spread, Variant } from './workload.ts'

/** The middle one of some numbers; of an even count the greater of the two in the middle. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]
}

/** The middle, the least and the greatest of some numbers. */
export function spreadOf(values: readonly number[]): Spread {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) }
}

/**
 * Puts the runs of a workload's variants together. The ratio to a floor is taken run by run, because what ran in the same
 * seconds met the same machine.
 */
export function summarize(variants: readonly Variant[], samples: readonly Sample[][]): Measured[] {
  return variants.map(({ name, inFlight, flush, isFloor }, i) => {
    const rates = samples[i].map((sample) => sample.recordsPerSecond)
    const own = samples[0].map((sample) => sample.recordsPerSecond)
    const ratios = rates.flatMap((rate, run) => (rate === undefined || own[run] === undefined ? [] : [own[run] / rate]))
    return {
      variant: name,
      ...(inFlight === undefined ? {} : { inFlight }),
      ...(flush === undefined ? {} : { flush }),
      runs: samples[i].length,
      metrics: spreads(samples[i]),
      ...(isFloor === true && ratios.length > 0 ? { ratio: spreadOf(ratios) } : {}),
    }
  })
}

function spreads(samples: readonly Sample[]): Measured['metrics'] {
  const metrics: Measured['metrics'] = {}
  for (const metric of Object.keys(samples[0]) as Metric[]) {
    const values = samples.map((sample) => sample[metric]).filter((value) => value !== undefined)
    metrics[metric] = spreadOf(values)
  }
  return metrics
}
