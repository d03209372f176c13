import { countOf, formatCount } from '../../src/cli/units.ts'
import type { ConsumerRecord, Varve } from '../../src/index.ts'
import { TOPIC, type Earthquake } from './earthquakes.ts'
import {
  copyOf,
  digest,
  firstDifference,
  ofPartition,
  sameOrderPerKey,
  sequencesByKey,
  type AppendedRecord,
} from './proof.ts'
import type { Stage } from './stage.ts'

/** Reads the topic from offset 0 and proves that it is, byte for byte and in order, what was appended. */
export async function replayAndProve(stage: Stage, log: Varve, appended: readonly AppendedRecord[]): Promise<void> {
  stage.step('Replay', 'everything from offset 0, and compare it with what went in')
  const replayed: AppendedRecord[] = []
  let strongest: { event: Earthquake['event']; record: ConsumerRecord } | null = null
  const started = performance.now()
  for await (const record of log.read(TOPIC.name, { from: 'earliest' })) {
    replayed.push(copyOf(record))
    const event = record.value as Earthquake['event']
    if ((event.magnitude ?? -Infinity) > (strongest?.event.magnitude ?? -Infinity)) strongest = { event, record }
  }
  const ms = performance.now() - started
  printPartitions(stage, log, appended, replayed)
  const differences = partitionsOf(log).map((partition) =>
    firstDifference(ofPartition(appended, partition), ofPartition(replayed, partition)),
  )
  const difference = differences.find((found) => found !== null) ?? null
  const figures = `${countOf(replayed.length, 'record')} replayed in ${ms.toFixed(0)} ms and compared one by one`
  stage.prove(difference === null, difference ?? `${figures}: key, value, time and offset, byte for byte what went in`)
  const keys = sequencesByKey(appended).size
  stage.prove(
    sameOrderPerKey(appended, replayed),
    `order holds: each of the ${keys} networks has its events in the order in which they went in`,
  )
  if (strongest !== null) stage.note(describe(strongest.event, strongest.record))
}

function printPartitions(
  stage: Stage,
  log: Varve,
  appended: readonly AppendedRecord[],
  replayed: readonly AppendedRecord[],
): void {
  const places = `${'partition'.padEnd(11)}${'records'.padStart(7)}  ${'offsets'.padEnd(10)}`
  const header = `${places}${'networks'.padEnd(19)}sha256 of keys and values`
  stage.line(stage.ink('dim', header))
  for (const { partition, logStartOffset, logEndOffset } of log.offsets(TOPIC.name)) {
    const [put, got] = [ofPartition(appended, partition), ofPartition(replayed, partition)]
    const [before, after] = [digest(put), digest(got)]
    const keys = [...sequencesByKey(got).keys()].join(' ')
    const place = `${logStartOffset} to ${logEndOffset - 1}`
    const cells = `${String(partition).padEnd(11)}${formatCount(got.length).padStart(7)}  ${place.padEnd(10)}${keys.padEnd(19)}`
    const same = before === after && put.length === logEndOffset - logStartOffset
    stage.line(`${cells}in ${before.slice(0, 8)} ${same ? '=' : '≠'} out ${after.slice(0, 8)}`)
    if (!same) stage.prove(false, `partition ${partition}: what came out is what went in`)
  }
}

function partitionsOf(log: Varve): number[] {
  return log.offsets(TOPIC.name).map(({ partition }) => partition)
}

function describe({ magnitude, place, time }: Earthquake['event'], { partition, offset }: ConsumerRecord): string {
  const when = `${new Date(time).toISOString().slice(0, 16).replace('T', ' ')} UTC`
  return `the strongest of that week: magnitude ${magnitude}, ${place}, ${when} (partition ${partition}, offset ${offset})`
}
