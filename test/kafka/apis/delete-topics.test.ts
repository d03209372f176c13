/** DeleteTopics: by name and by id. */
import { expect, test } from 'vitest'
import { deleteTopics } from '../../../src/kafka/apis/delete-topics.ts'
import { ZERO_UUID } from '../../../src/kafka/protocol/schema.ts'
import { KafkaSession, versionsOf } from '../../helpers/kafka-session.ts'

const UNKNOWN_ID = 'AAAAAAAAAAAAAAAAAAAAAQ'

test('every version deletes a topic by its name', async () => {
  await using session = await KafkaSession.open()
  for (const version of versionsOf(deleteTopics)) {
    const { topicId } = await session.log.createTopic({ name: 'orders' })
    const answer = await session.client.send(
      deleteTopics,
      version,
      version < 6 ? { topicNames: ['orders'] } : { topics: [{ name: 'orders', topicId: ZERO_UUID }] },
    )
    const responses = [{ name: 'orders', topicId: version < 6 ? ZERO_UUID : topicId, errorCode: 0, errorMessage: null }]
    expect(answer).toEqual({ throttleTimeMs: 0, responses })
    expect(await session.log.listTopics()).toEqual([])
  }
})

test('a topic is deleted by its id, and answered with its name', async () => {
  await using session = await KafkaSession.open()
  const { topicId } = await session.log.createTopic({ name: 'orders' })
  const { responses } = await session.client.send(deleteTopics, 6, { topics: [{ name: null, topicId }] })
  expect(responses).toEqual([{ name: 'orders', topicId, errorCode: 0, errorMessage: null }])
  expect(await session.log.listTopics()).toEqual([])
})

test('each topic that cannot be deleted is told why, and the others go', async () => {
  await using session = await KafkaSession.open()
  const { topicId } = await session.log.createTopic({ name: 'orders' })
  await session.log.createTopic({ name: 'twice' })
  const { responses } = await session.client.send(deleteTopics, 6, {
    topics: [
      { name: 'missing', topicId: ZERO_UUID },
      { name: null, topicId: UNKNOWN_ID },
      { name: null, topicId: ZERO_UUID },
      { name: 'orders', topicId },
      { name: 'twice', topicId: ZERO_UUID },
      { name: 'twice', topicId: ZERO_UUID },
      { name: '__consumer_offsets', topicId: ZERO_UUID },
      { name: '__varve_catalog', topicId: ZERO_UUID },
      { name: 'orders', topicId: ZERO_UUID },
    ],
  })
  expect(responses.map(({ errorCode }) => errorCode)).toEqual([3, 100, 42, 42, 42, 42, 17, 17, 42])
  for (const { errorMessage } of responses) expect(errorMessage).not.toBeNull()
  expect((await session.log.listTopics()).map(({ name }) => name)).toEqual(['orders', 'twice'])
  const again = await session.client.send(deleteTopics, 5, { topicNames: ['missing', 'orders'] })
  expect(again.responses.map(({ errorCode }) => errorCode)).toEqual([3, 0])
})

test('a topic that is named by its id and by its name in one request stays', async () => {
  await using session = await KafkaSession.open()
  const { topicId } = await session.log.createTopic({ name: 'orders' })
  const topics = [
    { name: null, topicId },
    { name: 'orders', topicId: ZERO_UUID },
  ]
  const { responses } = await session.client.send(deleteTopics, 6, { topics })
  expect(responses.map(({ errorCode }) => errorCode)).toEqual([42, 42])
  expect(await session.log.listTopics()).toHaveLength(1)
})
