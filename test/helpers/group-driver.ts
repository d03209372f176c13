import { nextDeadlineMs, newGroup, step } from '../../src/group/group-machine.ts'
import type {
  Group,
  GroupEffect,
  GroupEvent,
  GroupLimits,
  GroupSnapshot,
  JoinRequest,
  JoinResponse,
  LeaveResponse,
  MemberClaim,
  RequestId,
  SyncRequest,
  SyncResponse,
} from '../../src/group/group.ts'
import type { ErrorCode } from '../../src/errors.ts'

export const LIMITS: GroupLimits = {
  initialRebalanceDelayMs: 3_000,
  minSessionTimeoutMs: 6_000,
  maxSessionTimeoutMs: 1_800_000,
  maxSize: 100,
}
export const SESSION_MS = 10_000
export const REBALANCE_MS = 60_000

/** Drives one group by hand: gives it events, and keeps the answers. Members are named by their ids. */
export class GroupDriver {
  group: Group
  nowMs = 1_000
  limits: GroupLimits
  /** What is being stored, oldest first. */
  readonly stores: GroupSnapshot[] = []
  readonly joins = new Map<RequestId, JoinResponse>()
  readonly syncs = new Map<RequestId, SyncResponse>()
  private readonly others = new Map<RequestId, ErrorCode | null>()
  private readonly leaves = new Map<RequestId, LeaveResponse>()
  private requests = 0

  constructor(limits: Partial<GroupLimits> = {}, group = newGroup('group')) {
    this.limits = { ...LIMITS, ...limits }
    this.group = group
  }

  run(event: GroupEvent): GroupEffect[] {
    const { group, effects } = step(this.group, event, this.nowMs, this.limits)
    this.group = group
    for (const effect of effects) {
      if (effect.type === 'store') this.stores.push(effect.snapshot)
      else if (effect.type === 'joined') keep(this.joins, effect.request, effect.response)
      else if (effect.type === 'synced') keep(this.syncs, effect.request, effect.response)
      else if (effect.type === 'left') keep(this.leaves, effect.request, effect.response)
      else keep(this.others, effect.request, effect.error)
    }
    return effects
  }

  /** Joins under a new id, or with `{ memberId }` under a known one; gives the request. */
  join(newMemberId: string, more: Partial<JoinRequest> = {}): RequestId {
    const request = ++this.requests
    this.run({
      type: 'join',
      request,
      join: {
        memberId: '',
        newMemberId,
        instanceId: null,
        clientId: 'client',
        clientHost: '/127.0.0.1',
        sessionTimeoutMs: SESSION_MS,
        rebalanceTimeoutMs: REBALANCE_MS,
        protocolType: 'consumer',
        protocols: protocols('range'),
        requiresKnownMemberId: false,
        supportsSkippingAssignment: true,
        ...more,
      },
    })
    return request
  }

  rejoin(memberId: string, more: Partial<JoinRequest> = {}): RequestId {
    return this.join('unused', { memberId, ...more })
  }

  /** Syncs in the current generation, and as the leader gives each member its own name for an assignment. */
  sync(memberId: string, more: Partial<SyncRequest> = {}): RequestId {
    const request = ++this.requests
    const assigned = memberId === this.group.leader ? this.members : []
    const assignments = new Map(assigned.map((name) => [name, bytes(name)]))
    const { generation } = this.group
    const sync = { memberId, instanceId: null, generation, protocolType: null, protocol: null, assignments, ...more }
    this.run({ type: 'sync', request, sync })
    return request
  }

  heartbeat(memberId: string, more: Partial<MemberClaim> = {}): ErrorCode | null {
    return this.claim('heartbeat', memberId, more)
  }

  commit(memberId: string, more: Partial<MemberClaim> = {}): ErrorCode | null {
    return this.claim('commit', memberId, more)
  }

  leave(...members: { memberId?: string; instanceId?: string }[]): LeaveResponse {
    const request = ++this.requests
    const named = members.map(({ memberId = '', instanceId = null as string | null }) => ({ memberId, instanceId }))
    this.run({ type: 'leave', request, members: named })
    return this.leaves.get(request)!
  }

  delete(): ErrorCode | null {
    const request = ++this.requests
    this.run({ type: 'delete', request })
    return this.others.get(request)!
  }

  abandon(request: RequestId): void {
    this.run({ type: 'abandon', request })
  }

  /** What was to be stored the first is durable, or is not. */
  stored(error: ErrorCode | null = null): void {
    const snapshot = this.stores.shift()
    if (snapshot === undefined) throw new Error('nothing is being stored')
    this.run({ type: 'stored', snapshot, error })
  }

  pass(ms: number): void {
    this.nowMs += ms
    this.run({ type: 'tick' })
  }

  /** Time passes until something is due. */
  passToDeadline(): void {
    this.nowMs = nextDeadlineMs(this.group)
    if (this.nowMs === Infinity) throw new Error('nothing is due ever')
    this.run({ type: 'tick' })
  }

  /** All members sync, the leader too, and what it brings is stored. */
  syncAll(): void {
    const members = [...this.group.members.values()]
    for (const { memberId, instanceId } of members) this.sync(memberId, { instanceId })
    this.stored()
  }

  get members(): string[] {
    return [...this.group.members.keys()]
  }

  private claim(type: 'heartbeat' | 'commit', memberId: string, more: Partial<MemberClaim>): ErrorCode | null {
    const request = ++this.requests
    const claim = { memberId, instanceId: null, generation: this.group.generation, ...more }
    this.run({ type, request, claim })
    return this.others.get(request)!
  }
}

/** A stable group of these members, of which the first leads. A name with a colon is `memberId:instanceId`. */
export function stableGroup(names: string[], limits: Partial<GroupLimits> = {}): GroupDriver {
  const driver = new GroupDriver(limits)
  for (const name of names) {
    const [memberId, instanceId = null] = name.split(':')
    driver.join(memberId, { instanceId })
  }
  driver.pass(driver.limits.initialRebalanceDelayMs)
  driver.syncAll()
  return driver
}

export function protocols(...names: string[]): { name: string; metadata: Uint8Array }[] {
  return names.map((name) => ({ name, metadata: bytes(name) }))
}

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

function keep<T>(answers: Map<RequestId, T>, request: RequestId, answer: T): void {
  if (answers.has(request)) throw new Error(`request ${request} is answered twice`)
  answers.set(request, answer)
}
