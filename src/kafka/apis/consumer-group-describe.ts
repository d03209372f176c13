import { byTopicId, heldBy, type ModernMember, type PartitionKeys } from '../../group/modern/modern-group.ts'
import type { ModernGroup } from '../../group/modern/modern-machine.ts'
import { preferredAssignor } from '../../group/modern/target-assignment.ts'
import { defineApi, type Call } from '../api.ts'
import { GROUP_OPERATIONS, OPERATIONS_NOT_ASKED } from '../authorized.ts'
import { GROUP_ID_NOT_FOUND, INVALID_GROUP_ID } from '../error-codes.ts'
import { groupFailure } from '../group-calls.ts'
import { array, boolean, int16, int32, int8, list, nullableString, string, struct, uuid } from '../protocol/schema.ts'

const assignment = struct({
  topicPartitions: list({ topicId: uuid(), topicName: string(), partitions: array(int32()) }),
})

const NO_MEMBERS = { groupState: '', groupEpoch: 0, assignmentEpoch: 0, assignorName: '', members: [] }

/** A member of the newer protocol: 0 would be one of the classic protocol in such a group, of which there are none. */
const CONSUMER = 1

/** Groups whose partitions the server divides, with what each member has, and is to have. */
export const consumerGroupDescribe = defineApi({
  key: 69,
  name: 'ConsumerGroupDescribe',
  versions: [0, 1],
  flexibleSince: 0,
  request: {
    groupIds: array(string()),
    includeAuthorizedOperations: boolean(),
  },
  response: {
    throttleTimeMs: int32(),
    groups: list({
      errorCode: int16(),
      errorMessage: nullableString(),
      groupId: string(),
      groupState: string(),
      groupEpoch: int32(),
      assignmentEpoch: int32(),
      assignorName: string(),
      members: list({
        memberId: string(),
        instanceId: nullableString(),
        rackId: nullableString(),
        memberEpoch: int32(),
        clientId: string(),
        clientHost: string(),
        subscribedTopicNames: array(string()),
        subscribedTopicRegex: nullableString(),
        assignment,
        targetAssignment: assignment,
        memberType: int8({ since: 1, default: -1 }),
      }),
      authorizedOperations: int32({ default: OPERATIONS_NOT_ASKED }),
    }),
  },
  async handle({ groupIds, includeAuthorizedOperations }, call) {
    const authorizedOperations = includeAuthorizedOperations ? GROUP_OPERATIONS : OPERATIONS_NOT_ASKED
    const groups = []
    // a group that is named twice is described once: few bytes ask for many
    for (const groupId of new Set(groupIds))
      groups.push({ groupId, authorizedOperations, ...(await describe(call, groupId)) })
    return { throttleTimeMs: 0, groups }
  },
  refuse: ({ groupIds }, errorCode, errorMessage) => ({
    throttleTimeMs: 0,
    groups: groupIds.map((groupId) => ({
      groupId,
      errorCode,
      errorMessage,
      ...NO_MEMBERS,
      authorizedOperations: OPERATIONS_NOT_ASKED,
    })),
  }),
})

async function describe(call: Call, groupId: string) {
  const refused = (errorCode: number, errorMessage: string) => ({ errorCode, errorMessage, ...NO_MEMBERS })
  if (groupId === '') return refused(INVALID_GROUP_ID, 'a group has an id')
  try {
    const { modern } = await call.broker.log.groups.look(groupId)
    return modern === undefined
      ? refused(GROUP_ID_NOT_FOUND, `group '${groupId}' is one of the classic protocol`)
      : described(modern, call)
  } catch (error) {
    return refused(groupFailure(call, error), (error as Error).message)
  }
}

function described(group: ModernGroup, call: Call) {
  return {
    errorCode: 0,
    errorMessage: null,
    groupState: group.state,
    groupEpoch: group.epoch,
    assignmentEpoch: group.assignmentEpoch,
    assignorName: preferredAssignor(group.members.values()),
    members: [...group.members.values()].map((member) => memberOf(member, call)),
  }
}

function memberOf(member: ModernMember, call: Call) {
  const { memberId, metadata, current, target } = member
  const { instanceId, rackId, clientId, clientHost, topics, pattern } = metadata
  return {
    memberId,
    instanceId,
    rackId,
    memberEpoch: current.epoch,
    clientId,
    clientHost,
    subscribedTopicNames: [...topics],
    subscribedTopicRegex: pattern ?? '',
    assignment: assignmentOf(heldBy(member), call),
    targetAssignment: assignmentOf(target, call),
    memberType: CONSUMER,
  }
}

/** Without topics that are no more. */
function assignmentOf(keys: PartitionKeys, { broker }: Call) {
  const topicPartitions = byTopicId(keys).flatMap(({ topicId, partitions }) => {
    const topicName = broker.topicById(topicId)?.name
    return topicName === undefined ? [] : [{ topicId, topicName, partitions }]
  })
  return { topicPartitions }
}
