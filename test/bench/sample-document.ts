import type { BenchDocument } from '../../bench/document.ts'
import type { Result } from '../../bench/judge.ts'
import type { Measured, Spread } from '../../bench/workload.ts'

/** A spread of a tenth to both sides. */
export function around(median: number): Spread {
  return { median, min: median * 0.9, max: median * 1.1 }
}

/** What a variant with such a rate would have found. */
export function sampleVariant(variant: string, rate: number, about: Partial<Measured> = {}): Measured {
  const latencyP50Us = around(1e6 / rate)
  const metrics = { recordsPerSecond: around(rate), latencyP50Us, latencyP99Us: around(9e6 / rate) }
  return { variant, runs: 5, metrics, ...about }
}

function result(workload: string, recordBytes: number, variants: Measured[]): Result {
  return { workload, recordBytes, variants, goals: [] }
}

const SIZES = [100, 1024]
const COMPARED: [workload: string, floor: string][] = [
  ['fill-os', 'R5'],
  ['fill-batch', 'R5'],
  ['fill-group', 'R3'],
  ['fill-each', 'R2'],
  ['fill-window', "'group'"],
  ['replay-batches', 'R5'],
  ['replay-records', 'R5'],
]

/** A full run as it might have come out, for tests of what is made of it. */
export function sampleDocument(): BenchDocument {
  const modes = ['each', 'group', 1, 10, 100, 1000, 'os']
  const time = (workload: string, ms: number) =>
    result(workload, 100, [{ variant: 'varve', runs: 3, metrics: { ms: around(ms) } }])
  return {
    date: '2026-01-02T03:04:05.678Z',
    commit: 'abc1234',
    node: 'v20.20.2',
    machine: { processor: 'A Processor', cores: 2, memoryBytes: 8 * 1024 ** 3, system: 'linux 6.1' },
    fileSystem: 'ext4',
    scale: { seconds: 1, runs: 5, bytesMax: 1e9, smoke: false },
    results: [
      ...COMPARED.flatMap(([workload, floor]) =>
        SIZES.map((bytes) =>
          result(workload, bytes, [
            sampleVariant('varve', 1.234e8 / bytes),
            sampleVariant(floor, 2e8 / bytes, { ratio: around(0.617) }),
          ]),
        ),
      ),
      ...[1, 16, 256].map((inFlight) =>
        result('fill-in-flight', 100, [
          sampleVariant('varve', 9000 * inFlight, { inFlight }),
          sampleVariant('R3', 9999 * inFlight, { inFlight, ratio: around(0.9) }),
        ]),
      ),
      result(
        'loss-window',
        100,
        [1, 256].flatMap((inFlight) =>
          modes.map((flush, i) =>
            sampleVariant(`${flush}, ${inFlight}`, 9000 * (i + 1) * inFlight, { flush, inFlight }),
          ),
        ),
      ),
      ...[16, 256, 16 * 1024].map((bytes) =>
        result('replay-sizes', bytes, [
          sampleVariant('batches', 5e8 / bytes),
          sampleVariant('for await', 4e8 / bytes),
          sampleVariant('R5', 4.5e8 / bytes, { ratio: around(1.1) }),
        ]),
      ),
      result('consume', 100, [
        sampleVariant('run', 3e6),
        sampleVariant('for await', 4e6),
        sampleVariant('batches', 8e6),
        sampleVariant('read', 5e6, { ratio: around(0.6) }),
      ]),
      ...[1, 256].flatMap((inFlight) =>
        ['each', 'group'].map((flush) =>
          result('commits', 44, [
            sampleVariant('commit', (flush === 'group' ? 9000 : 8000) * inFlight, { inFlight, flush }),
            sampleVariant('append', 10_000 * inFlight, { inFlight, flush, ratio: around(0.9) }),
          ]),
        ),
      ),
      time('open-partitions', 151.6),
      time('open-partitions-killed', 352.2),
      result('replay-memory', 100, [{ variant: 'varve', runs: 1, metrics: { peakRssBytes: around(80 * 1024 ** 2) } }]),
    ],
  }
}
