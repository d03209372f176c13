/** A group of another language's consumers, one of which is killed. */
import { expect } from 'vitest'
import type { Varve } from '../../src/client/varve.ts'
import { Driven, type Driver } from './driver.ts'
import { eventually } from './sample.ts'

/** Partitions of the topic that is consumed. */
export const DYING_PARTITIONS = 6

/** What these members say that they took, or, later, that they committed. */
export function said(what: 'taken' | 'committed', ...members: Driven[]): number[] {
  return members.flatMap((member) => member.said.flatMap((line) => (line[what] as number[] | undefined) ?? []))
}

/**
 * Three members take numbers that are appended meanwhile; one is killed without a word, another leaves in order. The last
 * one takes over: no number is left out, and none that was committed comes again.
 */
export async function killMembers(
  driver: Driver,
  log: Varve,
  request: { servers: string; config: object },
): Promise<void> {
  const topic = `numbers-${await log.listTopics().then(({ length }) => length)}`
  await log.createTopic({ name: topic, partitions: DYING_PARTITIONS, valueCodec: 'bytes' })
  const start = () => new Driven(driver, { do: 'member', topic, ...request })
  let appended = 0
  const append = async () => {
    const records = Array.from({ length: DYING_PARTITIONS * 2 }, () => appended++)
    await log.appendBatch(
      topic,
      records.map((number) => ({ partition: number % DYING_PARTITIONS, value: Buffer.from(String(number)) })),
    )
  }
  /** Appends until these members took numbers from all partitions that were appended since now. */
  const share = async (...members: Driven[]) => {
    const since = appended
    const busy = (member: Driven) => said('committed', member).some((number) => number >= since)
    const partitions = () =>
      new Set(said('committed', ...members).flatMap((number) => (number >= since ? [number % DYING_PARTITIONS] : [])))
    await eventually(async () => {
      await append()
      return members.every(busy) && partitions().size === DYING_PARTITIONS
    }, `${members.length} members take from all partitions`)
  }
  const members = [start(), start(), start()]
  await share(...members)
  await members[0].kill()
  await share(members[1], members[2])
  await members[1].finish()
  await share(members[2])
  await eventually(() => new Set(said('taken', ...members)).size === appended, 'all were taken')
  await members[2].finish()
  const committed = said('committed', ...members)
  expect(new Set(committed).size).toBe(committed.length)
  const positions = (await log.lag((request.config as { 'group.id': string })['group.id'])).map(
    ({ committed }) => committed,
  )
  expect(positions).toEqual(Array(DYING_PARTITIONS).fill(appended / DYING_PARTITIONS))
}
