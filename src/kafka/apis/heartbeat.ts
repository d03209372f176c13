import { defineApi } from '../api.ts'
import { askCoordinator, groupErrorNumber } from '../group-calls.ts'
import { int16, int32, nullableString, string } from '../protocol/schema.ts'

/** A member says that it is alive, and hears whether it has to join again. */
export const heartbeat = defineApi({
  key: 12,
  name: 'Heartbeat',
  versions: [0, 4],
  flexibleSince: 4,
  request: {
    groupId: string(),
    generationId: int32(),
    memberId: string(),
    groupInstanceId: nullableString({ since: 3 }),
  },
  response: {
    throttleTimeMs: int32({ since: 1 }),
    errorCode: int16(),
  },
  async handle({ groupId, generationId: generation, memberId, groupInstanceId: instanceId }, call) {
    const claim = { memberId, instanceId, generation }
    const error = await askCoordinator(call, () => call.broker.log.coordinator.heartbeat(groupId, claim))
    return { throttleTimeMs: 0, errorCode: groupErrorNumber(error) }
  },
  refuse: (_request, errorCode) => ({ throttleTimeMs: 0, errorCode }),
})
