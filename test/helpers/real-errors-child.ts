/**
 * A process that appends while the kernel fails it, or is slow: `node real-errors-child.mjs <script> <directory> <file>`,
 * bundled. Tells what is about to be and what is so, as the process of {@link Fact} does; ends by itself, whatever fails.
 *
 * `errors` prints a line for each call that failed: "<topic or -> <code>". `slow` prints for each acknowledgement "<offset>
 * <durable offset> <not before> <not after>", the times in ms of the engine's clock.
 */
import { openSync, writeSync } from 'node:fs'
import { systemClock, type Clock } from '../../src/environment.ts'
import { Varve, VarveError, type Flush } from '../../src/index.ts'
import type { Fact } from './exact-witness.ts'
import { FakeClock } from './fake-clock.ts'
import { SLOW_WINDOW } from './slow-window.ts'

const [, , script, directory, file] = process.argv

async function errors(): Promise<void> {
  const facts = openSync(file, 'a')
  const tell = (fact: Fact) => void writeSync(facts, `${JSON.stringify(fact)}\n`)
  const attempt = async (topic: string, action: () => Promise<void>) => {
    try {
      await action()
    } catch (error) {
      if (!(error instanceof VarveError)) throw error
      process.stdout.write(`${topic} ${error.code}\n`)
    }
  }
  await attempt('-', async () => {
    const log = await Varve.open({ directory, clock: new FakeClock() })
    const modes: { [topic: string]: Flush } = { each: 'each', group: 'group', window: { ms: 10, records: 4 }, os: 'os' }
    for (const [topic, flush] of Object.entries(modes)) {
      await attempt(topic, async () => {
        tell({ is: 'creating', topic, partitions: 1 })
        await log.createTopic({ name: topic, flush, segmentBytes: 300, valueCodec: 'string' })
        tell({ is: 'created', topic })
      })
    }
    for (let i = 0; i < 5; i++) {
      for (const topic of Object.keys(modes)) {
        await attempt(topic, async () => {
          const value = `${topic} ${i} ${'.'.repeat(60)}`
          tell({ is: 'appending', topic, values: [value] })
          const { partition, offset } = await log.append(topic, { value })
          tell({ is: 'appended', topic, partition, offset, value })
        })
      }
    }
    await attempt('-', () => log.flush())
    await attempt('-', () => log.close())
  })
}

async function slow(): Promise<void> {
  const readings = { last: 0, before: 0 }
  const clock: Clock = {
    ...systemClock,
    monotonicMs() {
      readings.before = readings.last
      readings.last = systemClock.monotonicMs()
      return readings.last
    },
  }
  const log = await Varve.open({ directory, clock })
  await log.createTopic({ name: 't', flush: SLOW_WINDOW, valueCodec: 'string' })
  let left = 100
  const appendOnAndOn = async () => {
    while (left-- > 0) {
      const { offset } = await log.append('t', { value: 'x' })
      const [{ durableOffset }] = log.offsets('t')
      process.stdout.write(`${offset} ${durableOffset} ${readings.before} ${readings.last}\n`)
    }
  }
  await Promise.all(Array.from({ length: 5 }, appendOnAndOn))
  await log.close()
}

await (script === 'slow' ? slow() : errors())
