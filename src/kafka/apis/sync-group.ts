import { kafkaErrorNumberOf } from '../../errors.ts'
import { defineApi } from '../api.ts'
import { askCoordinator, groupErrorNumber } from '../group-calls.ts'
import { bytes, int16, int32, list, nullableString, string } from '../protocol/schema.ts'

/** A member asks for its assignment, which the leader brings: it is answered when that is stored. */
export const syncGroup = defineApi({
  key: 14,
  name: 'SyncGroup',
  versions: [0, 5],
  flexibleSince: 4,
  request: {
    groupId: string(),
    generationId: int32(),
    memberId: string(),
    groupInstanceId: nullableString({ since: 3 }),
    protocolType: nullableString({ since: 5 }),
    protocolName: nullableString({ since: 5 }),
    assignments: list({ memberId: string(), assignment: bytes() }),
  },
  response: {
    throttleTimeMs: int32({ since: 1 }),
    errorCode: int16(),
    protocolType: nullableString({ since: 5 }),
    protocolName: nullableString({ since: 5 }),
    assignment: bytes(),
  },
  async handle(request, call) {
    const { groupId, generationId, memberId, groupInstanceId, protocolType, protocolName, assignments } = request
    if (call.version >= 5 && (protocolType === null || protocolName === null))
      return refused(kafkaErrorNumberOf('INCONSISTENT_GROUP_PROTOCOL'))
    const sync = {
      memberId,
      instanceId: groupInstanceId,
      generation: generationId,
      protocolType,
      protocol: protocolName,
      // the bytes of the request are not kept with the members
      assignments: new Map(assignments.map(({ memberId, assignment }) => [memberId, Buffer.from(assignment)])),
    }
    const ask = (signal: AbortSignal) => call.broker.log.coordinator.sync(groupId, sync, signal)
    const { error, protocolType: type, protocol, assignment } = await askCoordinator(call, ask)
    const errorCode = groupErrorNumber(error)
    return { throttleTimeMs: 0, errorCode, protocolType: type, protocolName: protocol, assignment }
  },
  refuse: (_request, errorCode) => refused(errorCode),
})

function refused(errorCode: number) {
  return { throttleTimeMs: 0, errorCode, protocolType: null, protocolName: null, assignment: new Uint8Array(0) }
}
