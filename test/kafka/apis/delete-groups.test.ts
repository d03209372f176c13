/** DeleteGroups over TCP. */
import { expect, test } from 'vitest'
import { deleteGroups } from '../../../src/kafka/apis/delete-groups.ts'
import { GROUP } from '../../helpers/consuming.ts'
import { GroupServer } from '../../helpers/kafka-groups.ts'

test('groups without members are deleted, each for itself, in every version', async () => {
  await using server = await GroupServer.start()
  await (await server.member()).joinAlone()
  const client = await server.connect()
  for (let version = 0; version <= 2; version++) {
    const gone = await (await server.member({ groupId: `gone-${version}` })).joinAlone()
    await gone.commit(0, 3)
    await gone.leave()
    const groupsNames = [GROUP, `gone-${version}`, 'nowhere', GROUP]
    expect(await client.send(deleteGroups, version, { groupsNames })).toEqual({
      throttleTimeMs: 0,
      results: [
        { groupId: GROUP, errorCode: 68 },
        { groupId: `gone-${version}`, errorCode: 0 },
        { groupId: 'nowhere', errorCode: 69 },
      ],
    })
  }
  expect((await server.log.listGroups()).map(({ groupId }) => groupId)).toEqual([GROUP])
})
