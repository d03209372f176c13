import { defineApi, outcomeOf, repeated } from '../api.ts'
import { INVALID_REQUEST, Refusal, UNKNOWN_TOPIC_ID } from '../error-codes.ts'
import { array, int16, int32, list, nullableString, string, uuid, ZERO_UUID, type Values } from '../protocol/schema.ts'

const deleted = {
  name: nullableString(),
  topicId: uuid({ since: 6 }),
  errorCode: int16(),
  errorMessage: nullableString({ since: 5 }),
}

/** Deletes topics for good, by name or, from version 6 on, by id. */
export const deleteTopics = defineApi({
  key: 20,
  name: 'DeleteTopics',
  versions: [0, 6],
  flexibleSince: 4,
  request: {
    topics: list({ name: nullableString(), topicId: uuid() }, { since: 6 }),
    topicNames: array(string(), { until: 5 }),
    timeoutMs: int32(),
  },
  response: {
    throttleTimeMs: int32({ since: 1 }),
    responses: list(deleted),
  },
  async handle(request, call) {
    const { broker } = call
    const topics = topicsOf(request)
    const nameOf = ({ name, topicId }: Named) => name ?? broker.topicById(topicId)?.name ?? topicId
    const twice = repeated(topics.map(nameOf))
    const responses: Values<typeof deleted>[] = []
    for (const topic of topics) {
      let { name, topicId } = topic
      const key = nameOf(topic)
      const outcome = await outcomeOf('DeleteTopics', call, async () => {
        if ((name === null) === (topicId === ZERO_UUID))
          throw new Refusal(INVALID_REQUEST, 'a topic must be named by its name or by its id, and not by both')
        if (twice.has(key)) throw new Refusal(INVALID_REQUEST, `topic '${key}' stands in the request more than once`)
        name ??= broker.topicById(topicId)?.name ?? null
        if (name === null) throw new Refusal(UNKNOWN_TOPIC_ID, `there is no topic of id '${topicId}'`)
        topicId = broker.topicNamed(name)?.record.topicId ?? topicId
        await broker.log.varve.deleteTopic(name, topicId === ZERO_UUID ? {} : { topicId })
      })
      responses.push({ name, topicId, ...outcome })
    }
    return { throttleTimeMs: 0, responses }
  },
  refuse: (request, errorCode, errorMessage) => ({
    throttleTimeMs: 0,
    responses: topicsOf(request).map((topic) => ({ ...topic, errorCode, errorMessage })),
  }),
})

interface Named {
  name: string | null
  topicId: string
}

function topicsOf({ topics, topicNames }: { topics: Named[]; topicNames: string[] }): Named[] {
  return [...topics, ...topicNames.map((name) => ({ name, topicId: ZERO_UUID }))]
}
