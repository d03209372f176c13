import type { ErrorCode } from '../errors.ts'
import type {
  Group,
  GroupEffect,
  GroupLimits,
  JoinResponse,
  Member,
  RequestId,
  Storing,
  SyncResponse,
} from './group.ts'

const NOTHING = new Uint8Array(0)

/** One step of a group on its way: the state as it is so far, and what is to be done about it. */
export class Transition {
  group: Group
  readonly effects: GroupEffect[] = []
  readonly nowMs: number
  readonly limits: GroupLimits

  constructor(group: Group, nowMs: number, limits: GroupLimits) {
    this.group = group
    this.nowMs = nowMs
    this.limits = limits
  }

  change(changes: Partial<Group>): void {
    this.group = { ...this.group, ...changes }
  }

  setMember(member: Readonly<Member>): void {
    this.change({ members: this.group.members.with(member.memberId, member) })
  }

  /** The member with a session that starts now; one that waits for an answer cannot say anything, and has no end to it. */
  heardOf(member: Readonly<Member>): Readonly<Member> {
    if (member.joining !== null || member.syncing !== null) return member
    return { ...member, sessionDeadlineMs: this.nowMs + member.sessionTimeoutMs }
  }

  /** Takes members out of the group, and tells their calls that wait. What follows from it is up to the caller. */
  remove(leaves: (member: Readonly<Member>) => boolean): void {
    const { members } = this.group
    const leaving = [...members.values()].filter(leaves)
    if (leaving.length === 0) return
    for (const member of leaving) this.dismiss(member, 'UNKNOWN_MEMBER_ID')
    const gone = new Set(leaving.map(({ memberId }) => memberId))
    this.change({
      members: members.filter(({ memberId }) => !gone.has(memberId)),
      leader: this.group.leader !== null && gone.has(this.group.leader) ? null : this.group.leader,
    })
  }

  /** Answers the calls of a member that is not one any more. */
  dismiss({ memberId, joining, syncing }: Readonly<Member>, error: ErrorCode): void {
    if (joining !== null) this.refuseJoin(joining, memberId, error)
    if (syncing !== null) this.refuseSync(syncing, error)
  }

  forgetPending(memberIds: readonly string[]): void {
    const pendingMembers = new Map(this.group.pendingMembers)
    for (const memberId of memberIds) pendingMembers.delete(memberId)
    this.change({ pendingMembers })
  }

  /** Has a snapshot made durable. */
  store(storing: Storing): void {
    this.change({ storing: [...this.group.storing, storing] })
    this.effects.push({ type: 'store', snapshot: storing.snapshot })
  }

  answer(request: RequestId, error: ErrorCode | null): void {
    this.effects.push({ type: 'answered', request, error })
  }

  answerJoin(request: RequestId, response: JoinResponse): void {
    this.effects.push({ type: 'joined', request, response })
  }

  refuseJoin(request: RequestId, memberId: string, error: ErrorCode): void {
    const nothing = {
      generation: -1,
      protocolType: null,
      protocol: null,
      leader: '',
      skipAssignment: false,
      members: [],
    }
    this.answerJoin(request, { error, memberId, ...nothing })
  }

  answerSync(request: RequestId, response: SyncResponse): void {
    this.effects.push({ type: 'synced', request, response })
  }

  refuseSync(request: RequestId, error: ErrorCode): void {
    this.answerSync(request, { error, protocolType: null, protocol: null, assignment: NOTHING })
  }
}

/** Why whoever claims to be this member is not, or null if it is. */
export function claimError(
  { members }: Group,
  { memberId, instanceId }: { memberId: string; instanceId: string | null },
): ErrorCode | null {
  const member = members.get(memberId)
  if (instanceId === null || member?.instanceId === instanceId) return member === undefined ? 'UNKNOWN_MEMBER_ID' : null
  return staticMember(members.values(), instanceId) === undefined ? 'UNKNOWN_MEMBER_ID' : 'FENCED_INSTANCE_ID'
}

/** The member that has a group instance id now. */
export function staticMember(
  members: Iterable<Readonly<Member>>,
  instanceId: string | null,
): Readonly<Member> | undefined {
  if (instanceId === null) return undefined
  for (const member of members) if (member.instanceId === instanceId) return member
  return undefined
}
