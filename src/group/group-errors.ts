import { VarveError, type ErrorCode } from '../errors.ts'
import type { MemberClaim } from './group.ts'
import type { LiveGroup } from './live-group.ts'

/** The error for what names no group. */
export function notFound(groupId: string): VarveError {
  return new VarveError('GROUP_ID_NOT_FOUND', `there is no group '${groupId}': listGroups names those there are`)
}

/** The error for what only a group without members takes. */
export function nonEmpty(groupId: string, { size }: LiveGroup): VarveError {
  const members = size === 1 ? 'a member' : `${size} members`
  return new VarveError('NON_EMPTY_GROUP', `group '${groupId}' has ${members}: close its consumers first`)
}

/** The error for a commit that the group refuses. */
export function commitError(code: ErrorCode, groupId: string, { memberId, generation }: MemberClaim): VarveError {
  const who = memberId === '' ? 'a commit from outside' : `member '${memberId}' of generation ${generation}`
  const why: Partial<Record<ErrorCode, string>> = {
    ILLEGAL_GENERATION: 'the group has rebalanced since: its partitions may have other owners now',
    UNKNOWN_MEMBER_ID:
      memberId === ''
        ? 'it has members, and only they may commit: close its consumers first'
        : 'it is no member any more: it left, or was not heard of in time',
    STALE_MEMBER_EPOCH: 'its epoch is another one now: it is to commit with that',
    FENCED_INSTANCE_ID: 'another member has taken its instanceId over',
    REBALANCE_IN_PROGRESS: 'the group is rebalancing: commit again when that is over',
  }
  const message = `group '${groupId}' refuses ${who}: ${why[code] ?? code}; nothing was committed`
  return new VarveError(code, message)
}
