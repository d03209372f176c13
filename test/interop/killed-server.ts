/** A producer of another language, whose server is killed and started again where it was. */
import { expect } from 'vitest'
import { ServedLog } from '../helpers/served-log.ts'
import { Driven, type Driver } from './driver.ts'
import { embeddedRecords, eventually } from './sample.ts'

const PARTITIONS = 3

/** The producer goes on through it all: no number that was acknowledged is lost, none is there twice, each is in its place. */
export async function killServer(driver: Driver, config: object): Promise<void> {
  const served = await ServedLog.start('--partitions', String(PARTITIONS))
  const request = { do: 'numbers', servers: served.bootstrapServer, topic: 't', partitions: PARTITIONS, config }
  const producer = new Driven(driver, request)
  const acknowledged = () => (producer.said.at(-1)?.acknowledged as number | undefined) ?? 0
  const goesOn = async () => {
    const before = acknowledged()
    await eventually(() => acknowledged() > before + 1_000, 'the producer goes on')
  }
  for (const signal of ['SIGKILL', 'SIGTERM', 'SIGKILL'] as const) {
    await goesOn()
    await served.restart(signal)
  }
  await goesOn()
  const { sent, ...ending } = await producer.finish()
  expect(ending).toEqual({ acknowledged: sent, failed: [] })
  await using log = await served.open()
  const stored = Array.from({ length: PARTITIONS }, (): number[] => [])
  for (const { partition, value } of await embeddedRecords(log, 't')) stored[partition].push(Number(value))
  const numbers = Array.from({ length: sent as number }, (_, i) => i)
  expect(stored).toEqual(stored.map((_, partition) => numbers.filter((number) => number % PARTITIONS === partition)))
}
