import { defineApi, messageOf, type Call } from '../api.ts'
import { GROUP_OPERATIONS, OPERATIONS_NOT_ASKED } from '../authorized.ts'
import { GROUP_ID_NOT_FOUND, Refusal } from '../error-codes.ts'
import { groupFailure } from '../group-calls.ts'
import { array, boolean, bytes, int16, int32, list, nullableString, string } from '../protocol/schema.ts'

const NOTHING = new Uint8Array(0)

/** Groups with their members, and what these have said and were given. */
export const describeGroups = defineApi({
  key: 15,
  name: 'DescribeGroups',
  versions: [0, 6],
  flexibleSince: 5,
  request: {
    groups: array(string()),
    includeAuthorizedOperations: boolean({ since: 3 }),
  },
  response: {
    throttleTimeMs: int32({ since: 1 }),
    groups: list({
      errorCode: int16(),
      errorMessage: nullableString({ since: 6 }),
      groupId: string(),
      groupState: string(),
      protocolType: string(),
      protocolData: string(),
      members: list({
        memberId: string(),
        groupInstanceId: nullableString({ since: 4 }),
        clientId: string(),
        clientHost: string(),
        memberMetadata: bytes(),
        memberAssignment: bytes(),
      }),
      authorizedOperations: int32({ since: 3, default: OPERATIONS_NOT_ASKED }),
    }),
  },
  async handle({ groups, includeAuthorizedOperations }, call) {
    const authorizedOperations = includeAuthorizedOperations ? GROUP_OPERATIONS : OPERATIONS_NOT_ASKED
    const described = []
    // a group that is named twice is described once: few bytes ask for many
    for (const groupId of new Set(groups)) {
      if (call.pace.isOver) await call.pace.rest()
      described.push({ groupId, authorizedOperations, ...(await describe(call, groupId)) })
    }
    return { throttleTimeMs: 0, groups: described }
  },
  refuse: ({ groups }, errorCode, errorMessage) => ({
    throttleTimeMs: 0,
    groups: groups.map((groupId) => ({
      groupId,
      authorizedOperations: OPERATIONS_NOT_ASKED,
      ...unknown('', errorCode, errorMessage),
    })),
  }),
})

function unknown(groupState: string, errorCode: number, errorMessage: string | null) {
  return { errorCode, errorMessage, groupState, protocolType: '', protocolData: '', members: [] }
}

async function describe(call: Call, groupId: string) {
  try {
    const { state, snapshot, modern } = await call.broker.log.groups.look(groupId)
    // whoever looks for it hears that it is described by another API
    if (modern !== undefined)
      throw new Refusal(GROUP_ID_NOT_FOUND, `group '${groupId}' is not one of the classic protocol`)
    // while a group rebalances, what was said and given before counts no more
    const isStable = state === 'Stable'
    return {
      errorCode: 0,
      errorMessage: null,
      groupState: state,
      protocolType: snapshot.protocolType ?? '',
      protocolData: (isStable ? snapshot.protocol : null) ?? '',
      members: snapshot.members.map(({ memberId, instanceId, clientId, clientHost, subscription, assignment }) => ({
        memberId,
        groupInstanceId: instanceId,
        clientId,
        clientHost,
        memberMetadata: isStable ? subscription : NOTHING,
        memberAssignment: isStable ? assignment : NOTHING,
      })),
    }
  } catch (error) {
    const errorCode = groupFailure(call, error)
    if (errorCode !== GROUP_ID_NOT_FOUND) return unknown('', errorCode, messageOf(error))
    // before version 6 it is told as a group that is no more
    return call.version < 6 ? unknown('Dead', 0, null) : unknown('Dead', errorCode, messageOf(error))
  }
}
