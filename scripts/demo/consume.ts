import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { countOf, formatCount } from '../../src/cli/units.ts'
import { Varve, type Consumer } from '../../src/index.ts'
import { GROUP, WORK_MS } from './consumers.ts'
import { TOPIC } from './earthquakes.ts'
import type { AppendedRecord } from './proof.ts'
import { BrokenPromise, type Stage } from './stage.ts'

const MEMBERS = 3
/** The process is killed when it has told of so many records, and one consumer hangs after so many of its own. */
const KILLED_AFTER = 500
const HANGS_AFTER = 100
const MAX_POLL_INTERVAL_MS = 500

/** How often each record was handled, by `<partition> <offset>`. */
type Handled = Map<string, number>

/**
 * A group of three consumes all events: first in another process, which is killed mid-way, then here, where one of the three
 * hangs mid-way and the others take over. Proves that every record was handled, and that those which were handled twice are
 * the ones that had not been committed.
 */
export async function consumeAndSurvive(
  stage: Stage,
  directory: string,
  events: readonly AppendedRecord[],
): Promise<void> {
  stage.step('Consume', 'a group of three shares the partitions, in another process; kill -9 mid-way')
  const handled: Handled = new Map()
  await runAndKill(directory, handled)
  await using log = await Varve.open({ directory })
  const before = handled.size
  const lag = await log.lag(GROUP)
  const committed = lag.reduce((sum, each) => sum + (each.committed ?? 0), 0)
  stage.line(`${countOf(before, 'record')} handled when it died, ${formatCount(committed)} of them committed`)
  stage.line('three others go on here; one of them hangs at a record and never returns')
  const moved = await takeOver(log, handled, events.length)
  stage.line(
    `the other two had its ${countOf(moved, 'partition')} after ${MAX_POLL_INTERVAL_MS} ms, which is what it was allowed`,
  )
  const twice = [...handled.values()].filter((count) => count > 1).length
  stage.prove(
    events.every(({ partition, offset }) => handled.has(`${partition} ${offset}`)),
    `every one of the ${countOf(events.length, 'record')} was handled, whoever died`,
  )
  stage.prove(
    twice === before - committed,
    `${countOf(twice, 'record')} handled twice: those that were handled and not committed when the process died, no others`,
  )
  const left = (await log.lag(GROUP)).reduce((sum, each) => sum + each.lag, 0)
  stage.prove(left === 0, 'the group has committed to the end of every partition')
}

async function runAndKill(directory: string, handled: Handled): Promise<void> {
  const script = fileURLToPath(new URL('consumers.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), script, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'close')
  const lines = createInterface({ input: child.stdout })
  const drained = once(lines, 'close')
  lines.on('line', (line) => {
    handled.set(line, (handled.get(line) ?? 0) + 1)
    if (handled.size === KILLED_AFTER) child.kill('SIGKILL')
  })
  await ended
  await drained
  if (child.signalCode !== 'SIGKILL') throw new BrokenPromise('the consumers ended before they could be killed')
}

/** Consumes the rest with three consumers of which one hangs; returns how many partitions that one lost. */
async function takeOver(log: Varve, handled: Handled, total: number): Promise<number> {
  let own = 0
  let lost = 0
  const consumers = Array.from({ length: MEMBERS }, (_, i): Consumer => {
    const onLost = (partitions: unknown[]) => void (lost += partitions.length)
    const limits = { maxPollIntervalMs: MAX_POLL_INTERVAL_MS, onLost }
    return log.consumer({ groupId: GROUP, topics: [TOPIC.name], clientId: `consumer-${i}`, ...limits })
  })
  const runs = consumers.map((consumer, i) =>
    consumer.run(async ({ partition, offset }, { signal }) => {
      if (i === 0 && own++ === HANGS_AFTER) {
        await once(signal, 'abort')
        return
      }
      await setTimeout(WORK_MS)
      const place = `${partition} ${offset}`
      handled.set(place, (handled.get(place) ?? 0) + 1)
    }),
  )
  const failed = Promise.all(runs)
  while (handled.size < total) await Promise.race([setTimeout(10), failed])
  await Promise.all(consumers.map((consumer) => consumer.close()))
  await failed
  return lost
}
