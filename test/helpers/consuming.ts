/** What the tests of consumers share. */
import type { Consumer } from '../../src/client/consumer.ts'
import type { ConsumerOptions } from '../../src/client/consumer-options.ts'
import type { Varve } from '../../src/client/varve.ts'
import type { ConsumerRecord } from '../../src/codec/record.ts'
import type { VarveOptions } from '../../src/engine/open-options.ts'
import { FakeClock } from './fake-clock.ts'
import { idle, openLog } from './logs.ts'

export const ORDERS = 'orders'
export const GROUP = 'billing'

/** A log with a topic `orders` that holds so many records in each partition, each in a batch of its own. */
export async function ordersLog(perPartition: number, partitions = 1, options: Partial<VarveOptions> = {}) {
  const log = await openLog(options)
  await log.createTopic({ name: ORDERS, partitions })
  for (let partition = 0; partition < partitions; partition++) await appendEach(log, perPartition, partition)
  return log
}

/** As `ordersLog`, on a clock that stands still. */
export async function fakeLog(perPartition: number, partitions = 1, options: Partial<VarveOptions> = {}) {
  const clock = new FakeClock()
  return { clock, log: await ordersLog(perPartition, partitions, { clock, ...options }) }
}

export async function appendEach(log: Varve, count: number, partition = 0): Promise<void> {
  for (let i = 0; i < count; i++) await log.append(ORDERS, { value: i, partition })
}

export function consumerOf(log: Varve, options: Partial<ConsumerOptions> = {}): Consumer {
  return log.consumer({ groupId: GROUP, topics: [ORDERS], ...options })
}

/** Lets the program run until something holds. */
export async function until(holds: () => boolean | Promise<boolean>, what = 'what was waited for'): Promise<void> {
  for (let turn = 0; turn < 2_000; turn++) {
    if (await holds()) return
    await idle(1)
  }
  throw new Error(`${what} has not come to pass`)
}

/** As `until`, and time passes meanwhile. */
export async function untilLater(
  clock: FakeClock,
  holds: () => boolean | Promise<boolean>,
  what = 'what was waited for',
): Promise<void> {
  for (let turn = 0; turn < 200; turn++) {
    if (await holds()) return
    await clock.advanceSlowly(100)
    await idle(5)
  }
  throw new Error(`${what} has not come to pass in 20 s`)
}

export function placeOf({ partition, offset }: { partition: number; offset: number }): string {
  return `${partition}/${offset}`
}

/** The places of so many records; the loop is left at the last one. */
export async function take(consumer: AsyncIterable<ConsumerRecord>, count: number): Promise<string[]> {
  const places: string[] = []
  if (count === 0) return places
  for await (const record of consumer) {
    places.push(placeOf(record))
    if (places.length === count) break
  }
  return places
}

/** What the group has committed, by partition; nothing as long as there is no such group. */
export async function committedBy(log: Varve, groupId = GROUP): Promise<(number | null)[]> {
  const groups = await log.listGroups()
  if (!groups.some((group) => group.groupId === groupId)) return []
  return (await log.lag(groupId)).map(({ committed }) => committed)
}

/** A promise that a test resolves, and whether anybody waits for it is his own affair. */
export function gate<T = void>(): { promise: Promise<T>; open: (value: T) => void } {
  let open!: (value: T) => void
  const promise = new Promise<T>((resolve) => (open = resolve))
  return { promise, open }
}

/** Lets time pass until the group has committed this much of each partition. */
export async function untilCommitted(clock: FakeClock, log: Varve, offsets: readonly number[]): Promise<void> {
  await untilLater(clock, async () => (await committedBy(log)).join() === offsets.join(), `committed ${offsets.join()}`)
}
