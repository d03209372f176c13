/**
 * A little consumer for the group model: what a client that follows the consumer protocol knows, and how its leader
 * gives partitions to members. A partition is a bit of a mask, a subscription is (mask of what it owns, since which
 * generation), an assignment is a mask.
 */
import type { JoinRequest, JoinResponse } from '../../src/group/group.ts'

export const PARTITIONS = 4
export const ALL_PARTITIONS = 2 ** PARTITIONS - 1

export interface Client {
  /** Runs, and follows the protocol. One that does not may still speak, as a zombie, but takes nothing up any more. */
  live: boolean
  instanceId: string | null
  cooperative: boolean
  requiresKnownMemberId: boolean
  supportsSkippingAssignment: boolean
  sessionTimeoutMs: number
  rebalanceTimeoutMs: number
  protocols: readonly string[]
  memberId: string
  /** Of its assignment; -1 without one. */
  generation: number
  /** Of the last join that succeeded; -1 for none. */
  joined: number
  /** The last generation in which it has asked for its assignment. */
  askedIn: number
  phase: 'out' | 'join' | 'joining' | 'sync' | 'syncing' | 'in'
  /** The join or sync that it waits for; 0 for none. */
  request: number
  /** What it processes. */
  owned: number
  positions: number[]
  /** What it brings with its sync, as the leader. */
  plan: Plan | null
  /** When the group heard of it the last time: surely then, and not after that. */
  spokeMs: number
  heardMs: number
}

export interface Plan {
  generation: number
  assignments: Map<string, Uint8Array>
  /** Member id by partition: who is to have it in the end. */
  targets: string[]
  /** What nobody gets in this generation, since its owner has to give it up first. */
  withheld: number
}

export function newClient(settings: {
  instanceId: string | null
  cooperative: boolean
  requiresKnownMemberId: boolean
  supportsSkippingAssignment: boolean
  sessionTimeoutMs: number
  rebalanceTimeoutMs: number
  protocols: readonly string[]
}): Client {
  return {
    ...settings,
    live: true,
    memberId: '',
    generation: -1,
    joined: -1,
    askedIn: -1,
    phase: 'out',
    request: 0,
    owned: 0,
    positions: Array.from({ length: PARTITIONS }, () => 0),
    plan: null,
    spokeMs: 0,
    heardMs: 0,
  }
}

export function joinRequest(client: Client, newMemberId: string): JoinRequest {
  const metadata = client.cooperative ? subscription(client.owned, client.generation) : NOTHING_OWNED
  return {
    memberId: client.memberId,
    newMemberId,
    instanceId: client.instanceId,
    clientId: 'model',
    clientHost: '/127.0.0.1',
    sessionTimeoutMs: client.sessionTimeoutMs,
    rebalanceTimeoutMs: client.rebalanceTimeoutMs,
    protocolType: 'consumer',
    protocols: client.protocols.map((name) => ({ name, metadata })),
    requiresKnownMemberId: client.requiresKnownMemberId,
    supportsSkippingAssignment: client.supportsSkippingAssignment,
  }
}

/** Gives up everything, as a client does whose membership has ended. */
export function lose(client: Client): void {
  client.owned = 0
  client.generation = -1
}

/** What a leader decides. Eager members own nothing now, and get something else each time: `turn` says by how much. */
export function assign(client: Client, { members, generation }: JoinResponse, turn: number): Plan {
  const masks = members.map(() => 0)
  const targets: string[] = []
  let withheld = 0
  const most = Math.ceil(PARTITIONS / members.length)
  const claims = Array.from({ length: PARTITIONS }, (_, partition) =>
    client.cooperative ? claimant(members, partition) : -1,
  )
  const counts = members.map(() => 0)
  const kept = claims.map((claim) => (claim >= 0 && counts[claim] < most ? (counts[claim]++, claim) : -1))
  for (let partition = 0; partition < PARTITIONS; partition++) {
    let target = kept[partition]
    if (target < 0) {
      target = client.cooperative ? counts.indexOf(Math.min(...counts)) : (partition + turn) % members.length
      counts[target]++
    }
    targets.push(members[target].memberId)
    if (claims[partition] >= 0 && claims[partition] !== target) withheld |= 1 << partition
    else masks[target] |= 1 << partition
  }
  const assignments = new Map(members.map(({ memberId }, at) => [memberId, maskBytes(masks[at])]))
  return { generation, assignments, targets, withheld }
}

/** Who owns a partition by what the members say: the latest word counts. -1 for nobody. */
function claimant(members: JoinResponse['members'], partition: number): number {
  let owner = -1
  let latest = 0
  for (const [at, { metadata }] of members.entries()) {
    if ((metadata[0] & (1 << partition)) === 0 || metadata[1] <= latest) continue
    owner = at
    latest = metadata[1]
  }
  return owner
}

const MASKS = Array.from({ length: ALL_PARTITIONS + 1 }, (_, mask) => Uint8Array.of(mask))
const NOTHING_OWNED = Uint8Array.of(0, 0)

function maskBytes(mask: number): Uint8Array {
  return MASKS[mask]
}

function subscription(owned: number, generation: number): Uint8Array {
  return owned === 0 && generation < 0 ? NOTHING_OWNED : Uint8Array.of(owned, generation + 1)
}
