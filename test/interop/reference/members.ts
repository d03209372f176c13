/** Members of groups, and what they commit. */
import { joinGroup } from '../../../src/kafka/apis/join-group.ts'
import { offsetCommit } from '../../../src/kafka/apis/offset-commit.ts'
import { syncGroup } from '../../../src/kafka/apis/sync-group.ts'
import { encodeAssignment, encodeSubscription } from '../../../src/group/consumer-protocol.ts'
import type { World } from './world.ts'

export const TOPIC = 'groups'

export function subscription(...topics: string[]): Buffer {
  return encodeSubscription({ topics, ownedPartitions: [], generation: -1, rackId: null, userData: null })
}

export const assignment = encodeAssignment({ partitions: [{ topic: TOPIC, partition: 0 }], userData: null })

/** What a member says with each SyncGroup from version 5 on. */
export const PROTOCOL = { protocolType: 'consumer', protocolName: 'range' }

/** What a member says to join, with the subscription to one topic. */
export function joining(groupId: string, more: object = {}) {
  const protocols = [{ name: 'range', metadata: subscription(TOPIC) }]
  return { groupId, sessionTimeoutMs: 30_000, rebalanceTimeoutMs: 30_000, protocolType: 'consumer', protocols, ...more }
}

/** Joins under the id that it is given, and has everything assigned to it. */
export async function joinAlone(world: World, groupId: string, more: object = {}) {
  const { memberId } = await world.quietly(joinGroup, 9, joining(groupId, more))
  const joined = await world.quietly(joinGroup, 9, joining(groupId, { memberId, ...more }))
  const { generationId } = joined
  const assignments = [{ memberId: joined.memberId, assignment }]
  await world.quietly(syncGroup, 5, {
    ...PROTOCOL,
    groupId,
    generationId,
    memberId: joined.memberId,
    ...more,
    assignments,
  })
  return { groupId, memberId: joined.memberId, generationId }
}

export interface Claim {
  groupId: string
  memberId: string
  generationId: number
  groupInstanceId?: string
}

export async function commit(
  world: World,
  question: string,
  claim: Partial<Claim>,
  partition: object = {},
  version = 9,
  topic: object = { name: TOPIC },
) {
  const { generationId: generationIdOrMemberEpoch, ...rest } = claim
  const partitions = [{ partitionIndex: 0, committedOffset: 5, ...partition }]
  await world.ask(question, offsetCommit, version, {
    generationIdOrMemberEpoch,
    ...rest,
    topics: [{ ...topic, partitions }],
  })
}

export async function commits(world: World, claim: Claim): Promise<void> {
  for (const version of [2, 5, 6, 7, 8, 9]) await commit(world, `commit in version ${version}`, claim, {}, version)
  await commit(world, 'commit of an earlier generation', { ...claim, generationId: 0 })
  await commit(world, 'commit of a later generation', { ...claim, generationId: 9 })
  await commit(world, 'commit of another member', { ...claim, memberId: 'x' })
  await commit(world, 'commit without a generation', { ...claim, generationId: -1 })
  await commit(world, 'commit without a member', { ...claim, memberId: '' })
  await commit(world, 'commit of a static member', { ...claim, groupInstanceId: 'static' })
  await commit(world, 'commit without either', { groupId: claim.groupId, generationId: -1, memberId: '' })
}
