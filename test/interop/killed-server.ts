/** A producer and a group of another language, whose server is killed and started again where it was. */
import { expect } from 'vitest'
import { ServedLog } from '../helpers/served-log.ts'
import { Driven, type Driver } from './driver.ts'
import { said } from './dying-members.ts'
import { embeddedRecords, eventually } from './sample.ts'

const PARTITIONS = 3

/**
 * Both go on through it all. Of what was acknowledged no number is lost, none is there twice, each is in its place; the group
 * leaves none out, and none that it committed comes again.
 *
 * @param config of the producer
 * @param member of each consumer
 */
export async function killServer(driver: Driver, config: object, member: object): Promise<void> {
  const served = await ServedLog.start('--partitions', String(PARTITIONS))
  const common = { servers: served.bootstrapServer, topic: 't' }
  const producer = new Driven(driver, { do: 'numbers', ...common, partitions: PARTITIONS, config })
  const acknowledged = () => (producer.said.at(-1)?.acknowledged as number | undefined) ?? 0
  await eventually(() => acknowledged() > 0, 'the topic is there')
  const members = [1, 2].map(() => new Driven(driver, { do: 'member', ...common, config: member }))
  const goesOn = async () => {
    const [produced, committed] = [acknowledged(), said('committed', ...members).length]
    const isOn = () => acknowledged() > produced + 1_000 && said('committed', ...members).length > committed
    await eventually(isOn, 'producer and group go on')
  }
  for (const signal of ['SIGKILL', 'SIGTERM', 'SIGKILL'] as const) {
    await goesOn()
    await served.restart(signal)
  }
  await goesOn()
  const { sent, ...ending } = await producer.finish()
  expect(ending).toEqual({ acknowledged: sent, failed: [] })
  await eventually(() => new Set(said('taken', ...members)).size === sent, 'the group took all')
  for (const one of members) await one.finish()
  const committed = said('committed', ...members)
  expect(new Set(committed).size).toBe(committed.length)
  await using log = await served.open()
  const stored = Array.from({ length: PARTITIONS }, (): number[] => [])
  for (const { partition, value } of await embeddedRecords(log, 't')) stored[partition].push(Number(value))
  const numbers = Array.from({ length: sent as number }, (_, i) => i)
  expect(stored).toEqual(stored.map((_, partition) => numbers.filter((number) => number % PARTITIONS === partition)))
}
