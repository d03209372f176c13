import { defineApi } from '../api.ts'
import { askCoordinator, groupErrorNumber } from '../group-calls.ts'
import { int16, int32, list, nullableString, string } from '../protocol/schema.ts'

/** Members leave a group: the one that asks or, from version 3 on, those that it names, static ones by instance id too. */
export const leaveGroup = defineApi({
  key: 13,
  name: 'LeaveGroup',
  versions: [0, 5],
  flexibleSince: 4,
  request: {
    groupId: string(),
    memberId: string({ until: 2 }),
    members: list(
      {
        memberId: string(),
        groupInstanceId: nullableString(),
        /** Why it leaves: for whoever reads traces. */
        reason: nullableString({ since: 5 }),
      },
      { since: 3 },
    ),
  },
  response: {
    throttleTimeMs: int32({ since: 1 }),
    errorCode: int16(),
    members: list({ memberId: string(), groupInstanceId: nullableString(), errorCode: int16() }, { since: 3 }),
  },
  async handle({ groupId, memberId, members }, call) {
    const isSingle = call.version < 3
    const leaving = isSingle
      ? [{ memberId, instanceId: null }]
      : members.map(({ memberId, groupInstanceId: instanceId }) => ({ memberId, instanceId }))
    const left = await askCoordinator(call, () => call.broker.log.coordinator.leave(groupId, leaving))
    return {
      throttleTimeMs: 0,
      errorCode: groupErrorNumber(left.error ?? (isSingle ? left.members[0].error : null)),
      members: left.members.map(({ memberId, instanceId: groupInstanceId, error }) => ({
        memberId,
        groupInstanceId,
        errorCode: groupErrorNumber(error),
      })),
    }
  },
  refuse: (_request, errorCode) => ({ throttleTimeMs: 0, errorCode, members: [] }),
})
