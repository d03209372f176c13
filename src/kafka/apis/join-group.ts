import type { JoinResponse } from '../../group/group.ts'
import { defineApi } from '../api.ts'
import { askCoordinator, groupErrorNumber } from '../group-calls.ts'
import { boolean, bytes, int16, int32, list, nullableString, string } from '../protocol/schema.ts'

/** A member joins a group, or joins again: it is answered when the rebalance completes. */
export const joinGroup = defineApi({
  key: 11,
  name: 'JoinGroup',
  versions: [0, 9],
  flexibleSince: 6,
  request: {
    groupId: string(),
    sessionTimeoutMs: int32(),
    rebalanceTimeoutMs: int32({ since: 1, default: -1 }),
    memberId: string(),
    groupInstanceId: nullableString({ since: 5 }),
    protocolType: string(),
    protocols: list({ name: string(), metadata: bytes() }),
    /** Why it joins: for whoever reads traces. */
    reason: nullableString({ since: 8 }),
  },
  response: {
    throttleTimeMs: int32({ since: 2 }),
    errorCode: int16(),
    generationId: int32({ default: -1 }),
    protocolType: nullableString({ since: 7 }),
    /** Never null before version 7. */
    protocolName: nullableString(),
    leader: string(),
    skipAssignment: boolean({ since: 9 }),
    memberId: string(),
    members: list({ memberId: string(), groupInstanceId: nullableString({ since: 5 }), metadata: bytes() }),
  },
  async handle(request, call) {
    const { version, clientId, clientHost, broker } = call
    const { groupId, memberId, groupInstanceId, sessionTimeoutMs, rebalanceTimeoutMs, protocolType } = request
    // the bytes of the request are not kept with the member
    const protocols = request.protocols.map(({ name, metadata }) => ({ name, metadata: Buffer.from(metadata) }))
    const join = {
      memberId,
      instanceId: groupInstanceId,
      clientId,
      clientHost,
      sessionTimeoutMs,
      rebalanceTimeoutMs: version === 0 ? sessionTimeoutMs : rebalanceTimeoutMs,
      protocolType,
      protocols,
      requiresKnownMemberId: version >= 4,
      supportsSkippingAssignment: version >= 9,
    }
    return answer(await askCoordinator(call, (signal) => broker.log.coordinator.join(groupId, join, signal)), version)
  },
  refuse: ({ memberId }, errorCode, _message, { version }) => ({ ...refused(memberId, version), errorCode }),
})

function answer({ error, memberId, generation, ...joined }: JoinResponse, version: number) {
  if (error !== null) return { ...refused(memberId, version), errorCode: groupErrorNumber(error) }
  const { protocolType, protocol: protocolName, leader, skipAssignment } = joined
  return {
    throttleTimeMs: 0,
    errorCode: 0,
    generationId: generation,
    protocolType,
    protocolName,
    leader,
    skipAssignment,
    memberId,
    members: joined.members.map(({ memberId, instanceId: groupInstanceId, metadata }) => ({
      memberId,
      groupInstanceId,
      metadata,
    })),
  }
}

function refused(memberId: string, version: number) {
  return {
    throttleTimeMs: 0,
    generationId: -1,
    protocolType: null,
    protocolName: version < 7 ? '' : null,
    leader: '',
    skipAssignment: false,
    memberId,
    members: [],
  }
}
