import type { OffsetCommit } from '../../group/coordinator.ts'
import { defineApi, type Call } from '../api.ts'
import { UNKNOWN_TOPIC_ID, UNSUPPORTED_VERSION } from '../error-codes.ts'
import { groupErrorNumber, groupFailure } from '../group-calls.ts'
import { int16, int32, int64, list, nullableString, string, uuid } from '../protocol/schema.ts'

/**
 * Commits offsets of a group, each that can be. How long they are kept is the log's affair, whatever versions 2 to 4 say.
 * Version 0 went out of use long ago.
 */
export const offsetCommit = defineApi({
  key: 8,
  name: 'OffsetCommit',
  versions: [1, 10],
  flexibleSince: 8,
  request: {
    groupId: string(),
    generationIdOrMemberEpoch: int32({ since: 1, default: -1 }),
    memberId: string({ since: 1 }),
    groupInstanceId: nullableString({ since: 7 }),
    retentionTimeMs: int64({ since: 2, until: 4, default: -1 }),
    topics: list({
      name: string({ until: 9 }),
      topicId: uuid({ since: 10 }),
      partitions: list({
        partitionIndex: int32(),
        committedOffset: int64(),
        committedLeaderEpoch: int32({ since: 6, default: -1 }),
        commitTimestamp: int64({ since: 1, until: 1, default: -1 }),
        committedMetadata: nullableString(),
      }),
    }),
  },
  response: {
    throttleTimeMs: int32({ since: 3 }),
    topics: list({
      name: string({ until: 9 }),
      topicId: uuid({ since: 10 }),
      partitions: list({ partitionIndex: int32(), errorCode: int16() }),
    }),
  },
  async handle({ groupId, generationIdOrMemberEpoch: generation, memberId, groupInstanceId, topics }, call) {
    const named = topics.map((topic) => ({ ...topic, named: nameOf(topic, call) }))
    const offsets = named.flatMap(({ named, partitions }): OffsetCommit[] =>
      partitions.map(({ partitionIndex, committedOffset, committedLeaderEpoch, committedMetadata }) => ({
        topic: named ?? '',
        partition: partitionIndex,
        offset: committedOffset,
        leaderEpoch: committedLeaderEpoch,
        metadata: committedMetadata ?? '',
      })),
    )
    const claim = { memberId, instanceId: groupInstanceId, generation }
    const errorCodes = await commit(call, groupId, claim, offsets)
    let at = 0
    const answered = named.map(({ name, topicId, named, partitions }) => ({
      name,
      topicId,
      partitions: partitions.map(({ partitionIndex }) => {
        const errorCode = errorCodes[at++]
        return { partitionIndex, errorCode: named === null ? UNKNOWN_TOPIC_ID : errorCode }
      }),
    }))
    return { throttleTimeMs: 0, topics: answered }
  },
  refuse: ({ topics }, errorCode) => ({
    throttleTimeMs: 0,
    topics: topics.map(({ name, topicId, partitions }) => ({
      name,
      topicId,
      partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })),
    })),
  }),
})

/** Null for an id that no topic has. */
function nameOf({ name, topicId }: { name: string; topicId: string }, { version, broker }: Call): string | null {
  return version < 10 ? name : (broker.topicById(topicId)?.name ?? null)
}

/** The numbers of what went wrong, one for each offset. */
async function commit(
  call: Call,
  groupId: string,
  claim: { memberId: string; instanceId: string | null; generation: number },
  offsets: readonly OffsetCommit[],
): Promise<number[]> {
  const errorCodes: number[][] = []
  for (let at = 0; at < offsets.length || at === 0; at += OFFSETS_MAX)
    errorCodes.push(await commitAtOnce(call, groupId, claim, offsets.slice(at, at + OFFSETS_MAX)))
  return errorCodes.flat()
}

/** So many are committed at a time; a rebalance may come in between. */
const OFFSETS_MAX = 2_000

async function commitAtOnce(...[call, groupId, claim, offsets]: Parameters<typeof commit>): Promise<number[]> {
  try {
    const { coordinator } = call.broker.log
    if (call.version < 9 && coordinator.isModernMember(groupId, claim.memberId))
      return offsets.map(() => UNSUPPORTED_VERSION)
    const results = await coordinator.commit(groupId, claim, offsets, true)
    return results.map(({ error }) => groupErrorNumber(error?.code ?? null))
  } catch (error) {
    const errorCode = groupFailure(call, error)
    return offsets.map(() => errorCode)
  }
}
