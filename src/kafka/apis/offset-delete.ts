import { subscribedTopics } from '../../client/group-admin.ts'
import { kafkaErrorNumberOf } from '../../errors.ts'
import { defineApi } from '../api.ts'
import { GROUP_SUBSCRIBED_TO_TOPIC, NON_EMPTY_GROUP, UNKNOWN_TOPIC_OR_PARTITION } from '../error-codes.ts'
import { groupFailure } from '../group-calls.ts'
import { int16, int32, list, string } from '../protocol/schema.ts'

/** Deletes committed offsets of a group: of topics that no member subscribes to. */
export const offsetDelete = defineApi({
  key: 47,
  name: 'OffsetDelete',
  versions: [0, 0],
  flexibleSince: Infinity,
  request: {
    groupId: string(),
    topics: list({ name: string(), partitions: list({ partitionIndex: int32() }) }),
  },
  response: {
    errorCode: int16(),
    throttleTimeMs: int32(),
    topics: list({ name: string(), partitions: list({ partitionIndex: int32(), errorCode: int16() }) }),
  },
  async handle({ groupId, topics }, call) {
    const { coordinator, groups } = call.broker.log
    const refused = (errorCode: number) => ({ errorCode, throttleTimeMs: 0, topics: [] })
    if (groupId === '') return refused(kafkaErrorNumberOf('INVALID_GROUP_ID'))
    try {
      const { snapshot, image } = await groups.look(groupId)
      // what members of another kind use nobody knows
      if (snapshot.members.length > 0 && snapshot.protocolType !== 'consumer') return refused(NON_EMPTY_GROUP)
      const subscribed = subscribedTopics(snapshot)
      const checked = topics.map(({ name, partitions }) => {
        const known = call.broker.topicNamed(name)?.partitions
        const fault = subscribed.has(name) ? GROUP_SUBSCRIBED_TO_TOPIC : 0
        const answered = partitions.map(({ partitionIndex }) => {
          const errorCode = known?.[partitionIndex] === undefined ? UNKNOWN_TOPIC_OR_PARTITION : fault
          return { partitionIndex, errorCode }
        })
        return { name, partitions: answered }
      })
      const deleted = checked.flatMap(({ name, partitions }) =>
        partitions
          .filter(({ partitionIndex, errorCode }) => errorCode === 0 && image?.offsets.get(name)?.has(partitionIndex))
          .map(({ partitionIndex }) => ({ topic: name, partition: partitionIndex })),
      )
      await coordinator.deleteOffsets(groupId, deleted, () => false)
      return { errorCode: 0, throttleTimeMs: 0, topics: checked }
    } catch (error) {
      return refused(groupFailure(call, error))
    }
  },
  refuse: (_request, errorCode) => ({ errorCode, throttleTimeMs: 0, topics: [] }),
})
