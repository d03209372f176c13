/** Ids that a group, a member or an instance may have: what cannot be stored is refused before it does any harm. */
import { describe, expect, test } from 'vitest'
import { consumerOf, GROUP, ORDERS, ordersLog, take, until } from '../helpers/consuming.ts'
import { rejection } from '../helpers/logs.ts'

describe.each([
  ['groupId', 32_767],
  ['clientId', 1_024],
  ['instanceId', 1_024],
])('%s', (option, maxBytes) => {
  test.each([
    ['half a surrogate pair', 'a\ud800', /half a surrogate pair/],
    ['too long', 'é'.repeat(maxBytes / 2 + 1), /at most \d+ bytes long, and is \d+/],
  ])('%s is refused', async (_, id, message) => {
    const log = await ordersLog(1)
    expect(() => consumerOf(log, { [option]: id })).toThrow(message)
    await log.close()
  })

  test.each(['𝄞\0/', '__proto__', 'x'.repeat(maxBytes)])('what can be stored is taken', async (id) => {
    const log = await ordersLog(2)
    const options = { [option]: id }
    const group = option === 'groupId' ? id : GROUP
    const consumer = consumerOf(log, options)
    for await (const record of consumer) {
      await consumer.commit(record)
      break
    }
    await consumer.close()
    expect(await log.listGroups()).toMatchObject([{ groupId: group }])
    expect(await log.lag(group)).toMatchObject([{ committed: 1 }])
    await log.close()
  })
})

test('a member whose ids are as long as may be does not disturb the others', async () => {
  const log = await ordersLog(1, 2)
  const one = consumerOf(log)
  await take(one, 1)
  const other = consumerOf(log, { clientId: 'c'.repeat(1_024), instanceId: 'i'.repeat(1_024) })
  const run = other.run(() => {})
  await until(() => other.assignment().length === 1)
  expect(one.health().error).toBeNull()
  await log.close()
  await run
})

test('administration refuses them in the same way', async () => {
  const log = await ordersLog(1)
  const calls = [
    () => log.lag('\udfff'),
    () => log.describeGroup('x'.repeat(32_768)),
    () => log.resetOffsets('\ud800', { to: 'latest', topics: [ORDERS], dryRun: false }),
    () => log.deleteGroup('\ud800'),
    () => log.deleteOffsets('\ud800', [{ topic: ORDERS, partition: 0 }]),
  ]
  for (const call of calls) expect(await rejection(call())).toBeInstanceOf(TypeError)
  expect(await log.listGroups()).toEqual([])
  await log.close()
})
