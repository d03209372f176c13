import { nextDeadlineMs, newGroup, restoreGroup, step } from '../../src/group/group-machine.ts'
import type {
  Group,
  GroupEffect,
  GroupEvent,
  GroupLimits,
  GroupSnapshot,
  Member,
  RequestId,
} from '../../src/group/group.ts'
import { ALL_PARTITIONS, assign, joinRequest, lose, newClient, PARTITIONS, type Client } from './group-client.ts'

const GROUP_ID = 'model'
const NO_ASSIGNMENTS: ReadonlyMap<string, Uint8Array> = new Map()
/** How many records a partition has: offsets go from 0 to this. */
const END_OFFSET = 8
/** Once nothing fails any more, a group has so long to become stable. */
const SETTLE_MS = 120_000
const SETTLE_ROUNDS = 80

interface Waiter {
  /** Position in `clients`. */
  at: number
  kind: 'join' | 'sync' | 'heartbeat' | 'commit' | 'leave' | 'delete'
  /** That the caller believed to be in. */
  generation: number
}

/** Who was given what in the latest generation of which anybody heard an assignment. */
interface HandedOut {
  generation: number
  /** Member id and instance id by partition. */
  owners: ({ memberId: string; instanceId: string | null } | null)[]
}

/**
 * A coordinator around the group machine, its clients, time, a disk, and what has to hold of them: every step checks it,
 * and throws what it finds.
 */
export class GroupWorld {
  group: Group = newGroup(GROUP_ID)
  nowMs = 1_000
  /** What is not durable yet, oldest first. */
  stores: GroupSnapshot[] = []
  /** Clients that run have a position below `slots`; those that were replaced stand behind. */
  clients: Client[] = []
  slots = 0
  trace: string[] | null = null

  private durable: GroupSnapshot | null = null
  private readonly limits: GroupLimits
  private waiting = new Map<RequestId, Waiter>()
  private requests = 0
  private memberIds = 0
  private committed: number[] = Array.from({ length: PARTITIONS }, () => 0)
  private handedOut: HandedOut = { generation: -1, owners: nobody() }
  /** The assignment that is valid, or becomes so when it is stored. */
  private plan: Client['plan'] = null
  /** Static members have come back without a rebalance: what was withheld may stay without an owner until the next one. */
  private replacedQuietly = false
  private syncDeadlineMs = Infinity
  /** What was found to be the same the last time. */
  private verified: { durable: GroupSnapshot | null; members: Group['members'] | null } = {
    durable: null,
    members: null,
  }

  constructor(limits: GroupLimits) {
    this.limits = limits
  }

  /** A copy that goes its own way. */
  clone(): GroupWorld {
    const copy = new GroupWorld(this.limits)
    Object.assign(copy, this)
    copy.stores = [...this.stores]
    copy.clients = this.clients.map((client) => ({ ...client, positions: [...client.positions] }))
    copy.waiting = new Map(this.waiting)
    copy.committed = [...this.committed]
    copy.handedOut = { generation: this.handedOut.generation, owners: [...this.handedOut.owners] }
    copy.trace = this.trace === null ? null : [...this.trace]
    return copy
  }

  addClient(settings: Parameters<typeof newClient>[0]): void {
    this.clients.push(newClient(settings))
    this.slots++
  }

  /** A client does what comes next for it: joins, syncs, or says that it is alive. */
  proceed(at: number): void {
    const client = this.clients[at]
    if (client.request !== 0) return
    if (client.phase === 'out' || client.phase === 'join') this.join(at)
    else if (client.phase === 'sync') this.sync(at)
    else this.heartbeat(at)
  }

  join(at: number): void {
    const client = this.clients[at]
    if (!client.cooperative) client.owned = 0
    const request = this.ask(at, 'join')
    client.phase = 'joining'
    client.request = request
    this.run({ type: 'join', request, join: joinRequest(client, `m${++this.memberIds}`) })
  }

  sync(at: number): void {
    const client = this.clients[at]
    const { memberId, instanceId, joined: generation } = client
    const request = this.ask(at, 'sync', generation)
    client.askedIn = generation
    client.phase = 'syncing'
    client.request = request
    const assignments = client.plan?.assignments ?? NO_ASSIGNMENTS
    const stores = this.stores.length
    const sync = { memberId, instanceId, generation, protocolType: 'consumer', protocol: null, assignments }
    const plan = client.plan
    this.run({ type: 'sync', request, sync })
    if (this.stores.length > stores) {
      this.plan = plan
      this.replacedQuietly = false
    }
  }

  heartbeat(at: number): void {
    const { memberId, instanceId, generation } = this.clients[at]
    this.run({ type: 'heartbeat', request: this.ask(at, 'heartbeat'), claim: { memberId, instanceId, generation } })
  }

  /** Commits what a client has read, which is one record more of each partition than before. */
  commit(at: number, claimed: 'assigned' | 'joined' = 'assigned'): void {
    const client = this.clients[at]
    const { memberId, instanceId } = client
    const generation = claimed === 'joined' ? client.joined : client.generation
    if (generation < 0) return
    for (let partition = 0; partition < PARTITIONS; partition++)
      if (has(client.owned, partition))
        client.positions[partition] = Math.min(client.positions[partition] + 1, END_OFFSET)
    const request = this.ask(at, 'commit', generation)
    this.run({ type: 'commit', request, claim: { memberId, instanceId, generation } })
  }

  leave(at: number): void {
    const client = this.clients[at]
    const { memberId, instanceId } = client
    this.run({ type: 'leave', request: this.ask(at, 'leave'), members: [{ memberId, instanceId }] })
    lose(client)
    client.memberId = ''
    client.phase = 'out'
    client.request = 0
  }

  /** Somebody deletes the group; if that is possible, it is gone with its positions, and may start again. */
  delete(): void {
    this.run({ type: 'delete', request: this.ask(0, 'delete') })
    if (this.group.state !== 'Dead') return
    check(this.waiting.size === 0, 'a group is deleted while somebody waits')
    this.group = newGroup(GROUP_ID)
    this.durable = null
    this.stores = []
    this.committed.fill(0)
    this.handedOut = { generation: -1, owners: nobody() }
  }

  /** A client stops, and another one takes its place; the old one may still speak. */
  crash(at: number, noticed: boolean, protocols: readonly string[] = this.clients[at].protocols): void {
    const old = this.clients[at]
    const { request } = old
    if (noticed && request !== 0) {
      this.waiting.delete(request)
      old.request = 0
      old.heardMs = this.nowMs
      this.run({ type: 'abandon', request })
    }
    old.live = false
    this.clients[at] = newClient({ ...old, protocols })
    this.clients.push(old)
    const moved = this.clients.length - 1
    for (const [request, waiter] of this.waiting)
      if (waiter.at === at) this.waiting.set(request, { ...waiter, at: moved })
  }

  /** The oldest snapshot that is under way becomes durable, or does not. */
  finishStore(succeeds: boolean): void {
    const snapshot = this.stores.shift()
    if (snapshot === undefined) return
    if (succeeds) this.durable = snapshot
    this.run({ type: 'stored', snapshot, error: succeeds ? null : 'KAFKA_STORAGE_ERROR' })
  }

  /** Time passes. */
  advanceTo(nowMs: number): void {
    if (!(nowMs < Infinity)) return
    this.nowMs = Math.max(this.nowMs, nowMs)
    const before = this.group
    this.run({ type: 'tick' })
    check(nextDeadlineMs(this.group) > this.nowMs, 'something is due still after a tick')
    for (const { memberId, request, heardMs, sessionTimeoutMs } of this.clients) {
      const silent = request === 0 && heardMs + sessionTimeoutMs <= this.nowMs
      if (silent) check(!this.group.members.has(memberId), () => `${memberId} is a member, and its session has ended`)
    }
    if (before.state === 'Stable') this.checkKept(before)
    if (this.syncDeadlineMs <= this.nowMs) this.checkSynced()
  }

  /** Whoever has joined and has not asked for its assignment in time is gone. */
  private checkSynced(): void {
    const { state, generation, members } = this.group
    if (state === 'PreparingRebalance') return
    for (const { joined, askedIn, memberId } of this.clients)
      if (joined === generation && askedIn !== generation)
        check(!members.has(memberId), () => `${memberId} is a member, and has not synced in time`)
  }

  /** Whoever is in and is heard of in time stays. */
  private checkKept(before: Group): void {
    for (const { phase, memberId, generation, spokeMs, sessionTimeoutMs } of this.clients) {
      const heard = phase === 'in' && generation === before.generation && spokeMs + sessionTimeoutMs > this.nowMs
      if (heard && before.members.has(memberId))
        check(this.group.members.has(memberId), () => `${memberId} is removed, and was heard of in time`)
    }
  }

  nextDeadlineMs(): number {
    return nextDeadlineMs(this.group)
  }

  stall(ms: number): void {
    this.nowMs += ms
    this.syncDeadlineMs += ms
    for (const client of this.clients) {
      client.heardMs += ms
      client.spokeMs += ms
    }
    this.run({ type: 'stalled', ms })
  }

  /** The process ends and starts again; of what was under way, the first few snapshots are durable. */
  restart(durableStores: number): void {
    if (durableStores > 0) this.durable = this.stores[Math.min(durableStores, this.stores.length) - 1] ?? this.durable
    this.stores = []
    this.syncDeadlineMs = Infinity
    this.waiting.clear()
    this.group = this.durable === null ? newGroup(GROUP_ID) : restoreGroup(GROUP_ID, this.durable, this.nowMs)
    if (this.plan?.generation !== this.group.generation) this.replacedQuietly = true
    if (this.trace !== null) this.trace.push(`restart: ${describe(this.group)}`)
    for (const client of this.clients) {
      client.heardMs = this.nowMs
      client.joined = -1
      client.request = 0
      if (client.phase !== 'out' && client.phase !== 'in') client.phase = 'join'
    }
  }

  /** Nothing fails any more: the group has to become stable, and every call has to be answered. */
  settle(): void {
    const startMs = this.nowMs
    for (let round = 0; round < SETTLE_ROUNDS; round++) {
      while (this.stores.length > 0) this.finishStore(true)
      let acted = false
      for (let at = 0; at < this.slots; at++) {
        const client = this.clients[at]
        if (client.phase === 'out' || client.request !== 0) continue
        acted ||= client.phase !== 'in'
        this.proceed(at)
      }
      if (acted || this.stores.length > 0) continue
      if (this.isSettled()) return this.checkSettled()
      check(this.nowMs - startMs < SETTLE_MS, () => `not stable after ${this.nowMs - startMs} ms`)
      this.advanceTo(Math.min(this.nextDeadlineMs(), this.nowMs + 5_000))
    }
    throw new Error(`not stable after ${SETTLE_ROUNDS} rounds: ${describe(this.group)}`)
  }

  private isSettled(): boolean {
    const inGroup = this.clients.filter(({ live, phase }) => live && phase === 'in')
    const { state, members, generation, pendingMembers, storing } = this.group
    if (members.size !== inGroup.length || pendingMembers.size > 0 || storing.length > 0) return false
    if (members.size === 0) return state === 'Empty'
    const all = inGroup.every((client) => client.generation === generation && members.has(client.memberId))
    return state === 'Stable' && all
  }

  private checkSettled(): void {
    check(this.waiting.size === 0, () => `${this.waiting.size} calls were never answered`)
    this.checkReplay()
    if (this.group.members.size === 0) return
    let owned = 0
    for (const client of this.clients) {
      if (!client.live) continue
      check((owned & client.owned) === 0, 'two members process one partition')
      owned |= client.owned
    }
    const known = this.plan?.generation === this.group.generation ? this.plan.withheld : ALL_PARTITIONS
    const excused = this.replacedQuietly ? known : 0
    check((owned | excused) === ALL_PARTITIONS, () => `a quiet group owns ${owned.toString(2)} only`)
  }

  private ask(at: number, kind: Waiter['kind'], generation = -1): RequestId {
    const request = ++this.requests
    this.waiting.set(request, { at, kind, generation })
    return request
  }

  private run(event: GroupEvent): void {
    const before = this.group
    const { group, effects } = step(before, event, this.nowMs, this.limits)
    if (this.trace !== null)
      this.trace.push(`${this.nowMs} ${show(event)}\n    -> ${describe(group)} ${effects.map(show).join(' ')}`)
    this.group = group
    check(group.generation >= before.generation, 'the generation went back')
    if (group.state === 'CompletingRebalance' && group.generation > before.generation) {
      checkJoined(group, effects)
      const patience = [...group.members.values()].map(({ rebalanceTimeoutMs }) => rebalanceTimeoutMs)
      this.syncDeadlineMs = this.nowMs + Math.max(...patience)
    }
    const renewed = group.generation > before.generation || (event.type === 'stored' && event.error !== null)
    if (renewed) for (const client of this.clients) client.heardMs = this.nowMs
    for (const effect of effects) this.take(effect, before)
    if (event.type !== 'join' && event.type !== 'sync' && event.type !== 'abandon' && 'request' in event)
      check(!this.waiting.has(event.request), () => `a ${event.type} is not answered at once`)
    this.checkReplay()
  }

  private take(effect: GroupEffect, before: Group): void {
    if (effect.type === 'store') {
      this.stores.push(effect.snapshot)
      return
    }
    const waiter = this.waiting.get(effect.request)
    if (waiter === undefined) throw new Error(`request ${effect.request} is answered, and nobody waits for it`)
    this.waiting.delete(effect.request)
    const client = this.clients[waiter.at]
    client.heardMs = this.nowMs
    switch (effect.type) {
      case 'joined':
        check(waiter.kind === 'join', 'a join is answered where there was none')
        return this.joined(client, effect, before)
      case 'synced':
        check(waiter.kind === 'sync', 'a sync is answered where there was none')
        return this.synced(client, effect, waiter.generation)
      case 'answered':
        if (waiter.kind === 'commit' && effect.error === null) this.committedBy(client, waiter.generation)
        if (waiter.kind === 'delete') return
        if (effect.error === null) client.spokeMs = this.nowMs
        else if (client.request === 0) refused(client, effect.error)
        return
      case 'left':
        check(waiter.kind === 'leave', 'a leave is answered where there was none')
    }
  }

  private joined(client: Client, { request, response }: Extract<GroupEffect, { type: 'joined' }>, before: Group): void {
    if (client.request !== request) return
    client.request = 0
    if (response.error === 'MEMBER_ID_REQUIRED') client.memberId = response.memberId
    if (response.error !== null) return refused(client, response.error)
    check(response.generation >= this.handedOut.generation, 'a join gives an old generation')
    if (client.memberId !== response.memberId && before.state === 'Stable' && this.group.state === 'Stable') {
      this.replacedQuietly = true
      // the one that it replaces has asked
      client.askedIn = response.generation
    }
    client.memberId = response.memberId
    client.joined = response.generation
    client.phase = 'sync'
    const leads = response.leader === response.memberId && !response.skipAssignment
    client.plan = leads ? assign(client, response, this.requests) : null
  }

  private synced(
    client: Client,
    { request, response }: Extract<GroupEffect, { type: 'synced' }>,
    generation: number,
  ): void {
    const current = client.request === request
    if (current) client.request = 0
    if (response.error !== null) {
      if (current) refused(client, response.error)
      return
    }
    const assigned = response.assignment.length === 0 ? 0 : response.assignment[0]
    this.handOut(client, generation, assigned)
    if (!current) return
    this.checkRevoked(client, generation, assigned)
    const revokes = (client.owned & ~assigned) !== 0
    for (let partition = 0; partition < PARTITIONS; partition++) {
      if (has(assigned & ~client.owned, partition)) client.positions[partition] = this.committed[partition]
    }
    client.spokeMs = this.nowMs
    client.owned = assigned
    client.generation = generation
    client.phase = client.cooperative && revokes ? 'join' : 'in'
  }

  /** No partition has two owners in one generation, and no generation comes after a later one. */
  private handOut({ memberId, instanceId }: Client, generation: number, assigned: number): void {
    check(generation >= this.handedOut.generation, () => `generation ${generation} is handed out again`)
    if (generation > this.handedOut.generation) this.handedOut = { generation, owners: nobody() }
    for (let partition = 0; partition < PARTITIONS; partition++) {
      if (!has(assigned, partition)) continue
      const owner = this.handedOut.owners[partition]
      const same = owner === null || owner.memberId === memberId
      check(
        same || (owner.instanceId !== null && owner.instanceId === instanceId),
        `partition ${partition} is given to ${memberId} and ${owner?.memberId} in generation ${generation}`,
      )
      this.handedOut.owners[partition] = { memberId, instanceId }
    }
  }

  private checkRevoked(client: Client, generation: number, assigned: number): void {
    if (!client.cooperative) return
    for (let partition = 0; partition < PARTITIONS; partition++) {
      if (has(client.owned & ~assigned, partition) && this.plan?.generation === generation)
        check(
          this.plan.targets[partition] !== client.memberId,
          () => `partition ${partition} is revoked and does not move`,
        )
    }
    const added = assigned & ~client.owned
    if (!client.live || added === 0) return
    for (const other of this.clients) {
      const follows = other !== client && other.live && other.joined === generation
      if (follows && this.group.members.has(other.memberId))
        check((other.owned & added) === 0, () => `${other.memberId} still processes what ${client.memberId} is given`)
    }
  }

  private committedBy({ memberId, owned, generation: assignedIn, positions }: Client, claimed: number): void {
    check(this.group.members.has(memberId), () => `${memberId} commits and is no member`)
    check(claimed === this.group.generation, () => `a commit of generation ${claimed} in ${this.group.generation}`)
    check(this.group.state !== 'CompletingRebalance', 'a commit while the next generation starts')
    if (claimed !== assignedIn) return
    for (let partition = 0; partition < PARTITIONS; partition++) {
      if (!has(owned, partition)) continue
      const owner = this.handedOut.owners[partition]
      const owns = owner?.memberId === memberId && this.handedOut.generation === claimed
      check(owns, () => `${memberId} commits partition ${partition} of ${owner?.memberId}`)
      check(
        positions[partition] >= this.committed[partition],
        () => `partition ${partition}: the committed offset goes back`,
      )
      check(positions[partition] <= END_OFFSET, () => `partition ${partition}: a commit beyond the end`)
      this.committed[partition] = positions[partition]
    }
  }

  private isQuiet(): boolean {
    const { state, storing } = this.group
    return (state === 'Stable' || state === 'Empty') && storing.length === 0 && this.stores.length === 0
  }

  /** A group at rest is what would be restored. */
  private checkReplay(): void {
    if (!this.isQuiet()) return
    if (this.durable === null) check(this.group.generation === 0, 'there is a generation that was never stored')
    else if (this.durable !== this.verified.durable || this.group.members !== this.verified.members) {
      checkSame(this.group, this.durable, this.nowMs)
      this.verified = { durable: this.durable, members: this.group.members }
    }
  }
}

function refused(client: Client, error: string): void {
  switch (error) {
    case 'UNKNOWN_MEMBER_ID':
      client.memberId = ''
      lose(client)
      break
    case 'ILLEGAL_GENERATION':
      lose(client)
      break
    case 'FENCED_INSTANCE_ID':
    case 'GROUP_MAX_SIZE_REACHED':
      client.memberId = ''
      lose(client)
      client.phase = 'out'
      return
  }
  client.phase = 'join'
}

function nobody(): HandedOut['owners'] {
  return Array.from({ length: PARTITIONS }, () => null)
}

function has(mask: number, partition: number): boolean {
  return (mask & (1 << partition)) !== 0
}

/** In a new generation is whoever has joined, the leader too; static members may be away. */
function checkJoined({ members, leader }: Group, effects: readonly GroupEffect[]): void {
  for (const { memberId, instanceId } of members.values()) {
    const joined = effects.some((effect) => effect.type === 'joined' && effect.response.memberId === memberId)
    const mayBeAway = instanceId !== null && memberId !== leader
    check(joined || mayBeAway, () => `${memberId} has not joined the new generation`)
  }
}

/** What would be restored is what is there. */
function checkSame(live: Group, durable: GroupSnapshot, nowMs: number): void {
  const restored = restoreGroup(GROUP_ID, durable, nowMs)
  const same =
    live.state === restored.state &&
    live.generation === restored.generation &&
    live.protocolType === restored.protocolType &&
    live.protocol === restored.protocol &&
    live.leader === restored.leader &&
    live.members.size === restored.members.size &&
    !restored.members.some((kept) => !sameMember(kept, live.members.get(kept.memberId), live.protocol))
  check(same, () => `live ${describe(live)} is not what is durable, ${describe(restored)}`)
}

function sameMember(kept: Readonly<Member>, live: Readonly<Member> | undefined, protocol: string | null): boolean {
  const metadata = live?.protocols.find(({ name }) => name === protocol)?.metadata
  return (
    live?.instanceId === kept.instanceId &&
    live.sessionTimeoutMs === kept.sessionTimeoutMs &&
    live.rebalanceTimeoutMs === kept.rebalanceTimeoutMs &&
    sameBytes(live.assignment, kept.assignment) &&
    sameBytes(metadata, kept.protocols[0].metadata)
  )
}

function sameBytes(one: Uint8Array | undefined, other: Uint8Array): boolean {
  return one === other || (one !== undefined && Buffer.compare(one, other) === 0)
}

function check(holds: boolean, problem: string | (() => string)): void {
  if (!holds) throw new Error(typeof problem === 'string' ? problem : problem())
}

function describe({ state, generation, leader, members, pendingMembers, storing, stateDeadlineMs }: Group): string {
  const each = [...members.values()].map(({ memberId, joining, syncing, assignment }) => {
    return `${memberId}${joining === null ? '' : ' joining'}${syncing === null ? '' : ' syncing'} ${assignment.join()}`
  })
  const pending = [...pendingMembers.keys()].join()
  const waits = `pending=[${pending}] storing=${storing.length} until ${stateDeadlineMs}`
  return `${state} ${generation} leader=${leader} [${each.join('; ')}] ${waits}`
}

function show(what: GroupEvent | GroupEffect): string {
  return JSON.stringify(what, (_, value: unknown) => {
    if (value instanceof Uint8Array) return value.join()
    return value instanceof Map ? Object.fromEntries(value) : value
  })
}
