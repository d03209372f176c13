/** What the tests of groups over TCP share: a server, and members that say exactly what a test wants them to. */
import { internalsOf } from '../../src/client/internals.ts'
import type { Varve } from '../../src/client/varve.ts'
import type { VarveOptions } from '../../src/engine/open-options.ts'
import type { Group } from '../../src/group/group.ts'
import { encodeAssignment, encodeSubscription } from '../../src/group/consumer-protocol.ts'
import { heartbeat } from '../../src/kafka/apis/heartbeat.ts'
import { joinGroup } from '../../src/kafka/apis/join-group.ts'
import { leaveGroup } from '../../src/kafka/apis/leave-group.ts'
import { offsetCommit } from '../../src/kafka/apis/offset-commit.ts'
import { syncGroup } from '../../src/kafka/apis/sync-group.ts'
import { serveKafka, type KafkaServer } from '../../src/kafka/server.ts'
import { GROUP, ORDERS } from './consuming.ts'
import { KafkaTestClient } from './kafka-client.ts'
import { openLog } from './logs.ts'

/** A log with a topic `orders` of two partitions, and a server on it. */
export class GroupServer implements AsyncDisposable {
  private readonly clients: KafkaTestClient[] = []

  private constructor(
    readonly log: Varve,
    readonly kafka: KafkaServer,
    /** What the server had to say. */
    readonly warnings: string[],
  ) {}

  /** @param isNew false where the topic is there already */
  static async start(options: Partial<VarveOptions> = {}, brokers = 1, isNew = true): Promise<GroupServer> {
    const log = await openLog(options)
    if (isNew) await log.createTopic({ name: ORDERS, partitions: 2 })
    const warnings: string[] = []
    const kafka = await serveKafka(log, { brokers, onWarning: (message) => void warnings.push(message) })
    return new GroupServer(log, kafka, warnings)
  }

  async connect(node = 0): Promise<KafkaTestClient> {
    const client = await KafkaTestClient.connect(this.kafka.bootstrapServers[node])
    this.clients.push(client)
    return client
  }

  async member(options: Partial<MemberOptions> = {}): Promise<RawMember> {
    return new RawMember(await this.connect(), options)
  }

  /** The group as the coordinator has it. */
  group(groupId = GROUP): Group | undefined {
    return internalsOf('a test', this.log).coordinator.liveGroup(groupId)?.group
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.clients) await client[Symbol.asyncDispose]()
    await this.kafka.close()
    await this.log.close()
  }
}

export interface MemberOptions {
  groupId: string
  instanceId: string | null
  protocolType: string
  /** Each with the subscription. */
  protocols: string[]
  metadata: Uint8Array
  sessionTimeoutMs: number
  rebalanceTimeoutMs: number
}

/** The bytes of a subscription to `orders`. */
export const SUBSCRIPTION = encodeSubscription({
  topics: [ORDERS],
  ownedPartitions: [],
  generation: -1,
  rackId: null,
  userData: null,
})

/** The bytes that assign these partitions of `orders`. */
export function assignmentOf(...partitions: number[]): Buffer {
  return encodeAssignment({
    partitions: partitions.map((partition) => ({ topic: ORDERS, partition })),
    userData: null,
  })
}

/** A member that does one thing at a time. */
export class RawMember {
  memberId = ''
  generation = -1
  private readonly options: MemberOptions

  constructor(
    readonly client: KafkaTestClient,
    options: Partial<MemberOptions>,
  ) {
    this.options = {
      groupId: GROUP,
      instanceId: null,
      protocolType: 'consumer',
      protocols: ['range'],
      metadata: SUBSCRIPTION,
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 60_000,
      ...options,
    }
  }

  private get claim() {
    const { groupId, instanceId: groupInstanceId } = this.options
    return { groupId, groupInstanceId, memberId: this.memberId, generationId: this.generation }
  }

  /** Says what it has to say once. */
  async askToJoin(version = 9) {
    const { protocols, metadata, protocolType, sessionTimeoutMs, rebalanceTimeoutMs } = this.options
    const answer = await this.client.send(joinGroup, version, {
      ...this.claim,
      protocolType,
      sessionTimeoutMs,
      rebalanceTimeoutMs,
      protocols: protocols.map((name) => ({ name, metadata })),
    })
    if (answer.errorCode === 0 || answer.errorCode === 79) this.memberId = answer.memberId
    if (answer.errorCode === 0) this.generation = answer.generationId
    return answer
  }

  /** Joins, with the id that it is given where it has to have one. */
  async join(version = 9) {
    const answer = await this.askToJoin(version)
    return answer.errorCode === 79 ? this.askToJoin(version) : answer
  }

  sync(
    assignments: [RawMember, Uint8Array][] = [],
    version = 5,
    more: { protocolType?: null; protocolName?: string | null } = {},
  ) {
    const assigned = assignments.map(([{ memberId }, assignment]) => ({ memberId, assignment }))
    const { protocolType, protocols } = this.options
    const said = { protocolType, protocolName: protocols[0], ...more }
    return this.client.send(syncGroup, version, { ...this.claim, ...said, assignments: assigned })
  }

  /** Joins a group that has no other members, and has both partitions. */
  async joinAlone(): Promise<this> {
    await this.join()
    await this.sync([[this, assignmentOf(0, 1)]])
    return this
  }

  async heartbeat(version = 4, generationId = this.generation): Promise<number> {
    return (await this.client.send(heartbeat, version, { ...this.claim, generationId })).errorCode
  }

  leave(version = 5) {
    const { groupId, instanceId: groupInstanceId } = this.options
    const { memberId } = this
    const members = [{ memberId, groupInstanceId, reason: 'done' }]
    return this.client.send(leaveGroup, version, { groupId, memberId, members })
  }

  /** The error of a commit of one partition. */
  async commit(partitionIndex: number, committedOffset: number, version = 9): Promise<number> {
    const { groupId, groupInstanceId, memberId, generationId: generationIdOrMemberEpoch } = this.claim
    const partition = { partitionIndex, committedOffset, committedLeaderEpoch: -1, commitTimestamp: -1 }
    const partitions = [{ ...partition, committedMetadata: 'mine' }]
    const answer = await this.client.send(offsetCommit, version, {
      groupId,
      groupInstanceId,
      memberId,
      generationIdOrMemberEpoch,
      topics: [{ name: ORDERS, topicId: 'AAAAAAAAAAAAAAAAAAAAAA', partitions }],
    })
    return answer.topics[0].partitions[0].errorCode
  }
}

/** Two members of one generation, of which the first leads, and has partition 0; the other has partition 1. */
export async function twoMembers(server: GroupServer, options: Partial<MemberOptions>[] = [{}, {}]) {
  const [first, second] = await Promise.all(options.map((one) => server.member(one)))
  await first.joinAlone()
  const joining = second.join()
  while ((await first.heartbeat()) === 0);
  await first.join()
  await joining
  const syncing = second.sync()
  await first.sync([
    [first, assignmentOf(0)],
    [second, assignmentOf(1)],
  ])
  await syncing
  return [first, second] as const
}
