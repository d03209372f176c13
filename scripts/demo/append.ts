import { SingleBar } from 'cli-progress'
import { countOf, formatBytes, formatCount, formatSeconds } from '../../src/cli/units.ts'
import { Varve } from '../../src/index.ts'
import { TOPIC, type Earthquake } from './earthquakes.ts'
import type { AppendedRecord } from './proof.ts'
import type { Stage } from './stage.ts'

/** Appends all events, each under its network as key and with its own time, and says where each went. */
export async function appendEvents(
  stage: Stage,
  directory: string,
  events: readonly Earthquake[],
): Promise<AppendedRecord[]> {
  const { name, partitions } = TOPIC
  stage.step(
    'Append',
    `${formatCount(events.length)} real earthquakes, one week of 2018, to ${partitions} partitions by seismic network`,
  )
  await using log = await Varve.open({ directory, flush: 'group' })
  await log.createTopic(TOPIC)
  const bar = process.stdout.isTTY ? startBar(events.length) : null
  const started = performance.now()
  const appended = await Promise.all(
    events.map(async ({ bytes, event }): Promise<AppendedRecord> => {
      const { partition, offset } = await log.append(name, { key: event.net, value: event, timestamp: event.time })
      bar?.increment()
      return { partition, offset, key: Buffer.from(event.net), value: bytes, timestamp: event.time }
    }),
  )
  bar?.stop()
  const seconds = (performance.now() - started) / 1000
  const bytes = events.reduce((sum, event) => sum + event.bytes.length, 0)
  const durable = log.offsets(name).every(({ durableOffset, logEndOffset }) => durableOffset === logEndOffset)
  const figures = `${countOf(events.length, 'record')}, ${formatBytes(bytes)} in ${formatSeconds(seconds)}`
  stage.prove(durable, `${figures}; each was on the disk before it was acknowledged (flush: 'group')`)
  return appended
}

/** Opens the directory again and says what that found. */
export async function reopen(stage: Stage, directory: string): Promise<Varve> {
  stage.step('Reopen', 'the log was closed; open its directory again')
  const log = await Varve.open({ directory })
  const { clean, ms, scannedBytes, cutBytes, damage } = log.recovery
  const found = `read back ${formatBytes(scannedBytes)}, cut ${formatBytes(cutBytes)}, damage ${damage.length}`
  stage.prove(
    clean && damage.length === 0,
    `open in ${ms.toFixed(1)} ms; closed in order: ${clean ? 'yes' : 'no'}; ${found}`,
  )
  return log
}

function startBar(total: number): SingleBar {
  const bar = new SingleBar({
    format: '   {bar} {value} of {total}',
    barsize: 40,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    hideCursor: true,
    gracefulExit: false,
    stream: process.stdout,
  })
  bar.start(total, 0)
  return bar
}
