import { measure, type Measured, type Scale, type Workload } from './harness.ts'
import { fillBatch, fillEach, fillGroup, fillOs, fillWindow } from './workloads/fill.ts'
import { replayBatches, replayRecords } from './workloads/replay.ts'

const smoke = process.argv.includes('--smoke')
const only = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))
const scale: Scale = smoke ? { seconds: 0.3, runs: 1 } : { seconds: 1, runs: 5 }
const replayed = (recordBytes: number) => (smoke ? 200_000 : Math.floor(200_000_000 / (recordBytes + 100) / 1000) * 1000)

const workloads: Workload[] = [100, 1024].flatMap((recordBytes) => [
  fillOs(recordBytes),
  fillBatch(recordBytes),
  fillGroup(recordBytes),
  fillEach(recordBytes),
  fillWindow(recordBytes),
  replayBatches(recordBytes, replayed(recordBytes)),
  replayRecords(recordBytes, replayed(recordBytes)),
])

const results: Measured[] = []
for (const workload of workloads) {
  if (only.length > 0 && !only.includes(workload.name)) continue
  const measured = await measure(workload, scale, (text) => {
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[2K${text}`)
  })
  results.push(...measured)
  const [ours, ...floors] = measured
  const rate = ({ recordsPerSecond: { median, min, max } }: Measured) => `${format(median)} (${format(min)}-${format(max)})`
  const ratio = ours!.recordsPerSecond.median / floors.find((floor) => floor.variant === workload.goal.floor)!.recordsPerSecond.median
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[2K')
  console.log(
    `${workload.name.padEnd(15)} ${String(workload.recordBytes).padStart(5)} B  varve ${rate(ours!)}  ` +
      floors.map((floor) => `${floor.variant} ${rate(floor)}`).join('  ') +
      `  ratio to ${workload.goal.floor}: ${ratio.toFixed(2)} (goal ${workload.goal.ratio})`,
  )
}

function format(rate: number): string {
  if (rate >= 1e6) return `${(rate / 1e6).toFixed(2)}M`
  return rate >= 1e4 ? `${Math.round(rate / 1e3)}k` : `${(rate / 1e3).toFixed(1)}k`
}
