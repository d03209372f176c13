/** Members of groups whose partitions the server divides, over TCP: each says exactly what a test wants it to. */
import { byTopicId } from '../../src/group/modern/modern-group.ts'
import { consumerGroupHeartbeat } from '../../src/kafka/apis/consumer-group-heartbeat.ts'
import type { Values } from '../../src/kafka/protocol/schema.ts'
import { GROUP, ORDERS } from './consuming.ts'
import type { KafkaTestClient } from './kafka-client.ts'

type Heartbeat = Partial<Values<typeof consumerGroupHeartbeat.request>>

/** A member that does one thing at a time, and has what it is told to have. */
export class ModernMember {
  epoch = 0
  /** As `<topic id>/<partition>`. */
  owned = new Set<string>()

  constructor(
    readonly client: KafkaTestClient,
    public memberId: string,
    private readonly options: Heartbeat = {},
  ) {}

  /** Says what is given, and nothing else. */
  async say(said: Heartbeat, version = 1) {
    const { groupId = GROUP, instanceId = null } = this.options
    const who = { groupId, instanceId, memberId: this.memberId, memberEpoch: this.epoch }
    const answer = await this.client.send(consumerGroupHeartbeat, version, { ...who, ...said })
    if (answer.errorCode === 0) {
      this.epoch = answer.memberEpoch
      this.memberId = answer.memberId!
    }
    if (answer.assignment !== null) {
      const keys = answer.assignment.topicPartitions.flatMap(({ topicId, partitions }) =>
        partitions.map((partition) => `${topicId}/${partition}`),
      )
      this.owned = new Set(keys)
    }
    return answer
  }

  join(version = 1) {
    const topicPartitions: { topicId: string; partitions: number[] }[] = []
    const everything = { rebalanceTimeoutMs: 60_000, subscribedTopicNames: [ORDERS], topicPartitions }
    return this.say({ ...everything, ...this.options, memberEpoch: 0 }, version)
  }

  /** Is heard of, and says what it has. */
  beat(version = 1) {
    return this.say({ topicPartitions: byTopicId(this.owned) }, version)
  }

  leave(memberEpoch = -1) {
    return this.say({ memberEpoch })
  }

  /** The partitions of any topic that it has, sorted. */
  get partitions(): number[] {
    return [...this.owned].map((key) => Number(key.split('/')[1])).sort((a, b) => a - b)
  }
}

/** Lets members be heard of until they have what they are to have, and no longer. */
export async function settleModern(...members: ModernMember[]): Promise<void> {
  for (let round = 0; round < 5; round++) for (const member of members) await member.beat()
}
