/** FindCoordinator: every group is coordinated by the first node. */
import { expect, test } from 'vitest'
import { findCoordinator } from '../../../src/kafka/apis/find-coordinator.ts'
import { GroupServer } from '../../helpers/kafka-groups.ts'

test('whichever node is asked, in every version, the first one coordinates', async () => {
  await using server = await GroupServer.start({}, 3)
  const client = await server.connect(2)
  const port = Number(server.kafka.bootstrapServers[0].split(':')[1])
  const node = { nodeId: 1, host: '127.0.0.1', port, errorCode: 0, errorMessage: null }
  for (let version = 0; version <= 3; version++)
    expect(await client.send(findCoordinator, version, { key: 'billing' })).toMatchObject({
      throttleTimeMs: 0,
      ...node,
    })
  for (let version = 4; version <= 6; version++) {
    for (const keyType of [0, 1])
      expect(await client.send(findCoordinator, version, { keyType, coordinatorKeys: ['a', 'b'] })).toMatchObject({
        coordinators: [
          { key: 'a', ...node },
          { key: 'b', ...node },
        ],
      })
  }
})

test('what has no coordinator here is refused, each key for itself', async () => {
  await using server = await GroupServer.start()
  const client = await server.connect()
  const nobody = { errorCode: 42, nodeId: -1, host: '', port: -1 }
  expect(await client.send(findCoordinator, 3, { key: 'x', keyType: 3 })).toMatchObject(nobody)
  const shares = await client.send(findCoordinator, 6, { keyType: 2, coordinatorKeys: ['g:t:0', 'g:t:1'] })
  expect(shares.coordinators).toMatchObject([
    { key: 'g:t:0', ...nobody, errorMessage: expect.stringContaining('type 2') },
    { key: 'g:t:1', ...nobody },
  ])
})
