import type { GroupImage } from '../../group/group-log.ts'
import { defineApi, type Call } from '../api.ts'
import { UNKNOWN_TOPIC_ID } from '../error-codes.ts'
import { groupErrorNumber, groupFailure } from '../group-calls.ts'
import {
  array,
  boolean,
  int16,
  int32,
  int64,
  list,
  nullableArray,
  nullableString,
  string,
  struct,
  uuid,
  ZERO_UUID,
} from '../protocol/schema.ts'

const partitionAnswers = list({
  partitionIndex: int32(),
  committedOffset: int64({ default: -1 }),
  committedLeaderEpoch: int32({ since: 5, default: -1 }),
  metadata: nullableString(),
  errorCode: int16(),
})

/** What groups have committed: of the partitions that are named or, with null for the topics, of all. */
export const offsetFetch = defineApi({
  key: 9,
  name: 'OffsetFetch',
  versions: [1, 10],
  flexibleSince: 6,
  request: {
    groupId: string({ until: 7 }),
    topics: nullableArray(struct({ name: string(), partitionIndexes: array(int32()) }), { until: 7 }),
    groups: list(
      {
        groupId: string(),
        memberId: nullableString({ since: 9 }),
        memberEpoch: int32({ since: 9, default: -1 }),
        topics: nullableArray(
          struct({ name: string({ until: 9 }), topicId: uuid({ since: 10 }), partitionIndexes: array(int32()) }),
        ),
      },
      { since: 8 },
    ),
    /** No offset is unstable: none is committed in a transaction. */
    requireStable: boolean({ since: 7 }),
  },
  response: {
    throttleTimeMs: int32({ since: 3 }),
    topics: list({ name: string(), partitions: partitionAnswers }, { until: 7 }),
    errorCode: int16({ since: 2, until: 7 }),
    groups: list(
      {
        groupId: string(),
        topics: list({ name: string({ until: 9 }), topicId: uuid({ since: 10 }), partitions: partitionAnswers }),
        errorCode: int16(),
      },
      { since: 8 },
    ),
  },
  async handle({ groupId, topics, groups }, call) {
    if (call.version < 8) {
      const ofGroup = await fetchGroup(
        call,
        groupId,
        topics?.map((topic) => ({ ...topic, topicId: ZERO_UUID })) ?? null,
      )
      return { throttleTimeMs: 0, topics: ofGroup.topics, errorCode: ofGroup.errorCode, groups: [] }
    }
    const answered = []
    // a group that is named twice is answered once: all of it may be asked for with few bytes
    for (const group of new Map(groups.map((group) => [group.groupId, group])).values())
      answered.push({ groupId: group.groupId, ...(await fetchAsMember(call, group)) })
    return { throttleTimeMs: 0, topics: [], errorCode: 0, groups: answered }
  },
  refuse: ({ topics, groups }, errorCode) => ({
    throttleTimeMs: 0,
    topics: (topics ?? []).map(({ name, partitionIndexes }) => ({
      name,
      partitions: partitionIndexes.map((index) => noOffset(index, errorCode)),
    })),
    errorCode,
    groups: groups.map(({ groupId }) => ({ groupId, topics: [], errorCode })),
  }),
})

interface AskedTopic {
  name: string
  topicId: string
  partitionIndexes: number[]
}

/** Whoever names a member is refused where that is not what it was, see {@link fetchGroup}. */
async function fetchAsMember(
  call: Call,
  group: { groupId: string; memberId: string | null; memberEpoch: number; topics: AskedTopic[] | null },
) {
  const { groupId, memberId, memberEpoch: epoch, topics } = group
  const { coordinator } = call.broker.log
  if (memberId !== null || epoch >= 0) {
    try {
      const error = await coordinator.fetchError(groupId, { memberId: memberId ?? '', epoch })
      if (error !== null) return { topics: [], errorCode: groupErrorNumber(error) }
    } catch (error) {
      return { topics: [], errorCode: groupFailure(call, error) }
    }
  }
  return fetchGroup(call, groupId, topics)
}

async function fetchGroup(call: Call, groupId: string, topics: AskedTopic[] | null) {
  try {
    const image = await call.broker.log.coordinator.image(groupId)
    return { topics: topics === null ? allOf(call, image) : topics.map((one) => oneOf(call, image, one)), errorCode: 0 }
  } catch (error) {
    const errorCode = groupFailure(call, error)
    // before version 2 there is no other place for it
    const partitions = (indexes: number[]) => indexes.map((index) => noOffset(index, errorCode))
    const failed = (topics ?? []).map(({ partitionIndexes, ...one }) => ({
      ...one,
      partitions: partitions(partitionIndexes),
    }))
    return { topics: call.version < 2 ? failed : [], errorCode }
  }
}

function allOf({ version, broker }: Call, image: GroupImage | undefined) {
  const topics = []
  for (const [name, partitions] of image?.offsets ?? []) {
    const topicId = broker.topicNamed(name)?.record.topicId
    // without an id there is no way to say it
    if (topicId === undefined && version >= 10) continue
    const answered = [...partitions.keys()].map((index) => offsetOf(image, name, index))
    topics.push({ name, topicId: topicId ?? ZERO_UUID, partitions: answered })
  }
  return topics
}

function oneOf({ version, broker }: Call, image: GroupImage | undefined, topic: AskedTopic) {
  const { name, topicId, partitionIndexes } = topic
  const named = version < 10 ? name : broker.topicById(topicId)?.name
  const partitions = partitionIndexes.map((index) =>
    named === undefined ? noOffset(index, UNKNOWN_TOPIC_ID) : offsetOf(image, named, index),
  )
  return { name, topicId, partitions }
}

function offsetOf(image: GroupImage | undefined, topic: string, partitionIndex: number) {
  const committed = image?.offsets.get(topic)?.get(partitionIndex)
  if (committed === undefined) return noOffset(partitionIndex, 0)
  const { offset: committedOffset, leaderEpoch: committedLeaderEpoch, metadata } = committed
  return { partitionIndex, committedOffset, committedLeaderEpoch, metadata, errorCode: 0 }
}

function noOffset(partitionIndex: number, errorCode: number) {
  return { partitionIndex, committedOffset: -1, committedLeaderEpoch: -1, metadata: '', errorCode }
}
