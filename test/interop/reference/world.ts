/** A server of Kafka's protocol, whichever it is: is asked what a scenario says, and what it answers is kept as facts. */
import type { Shape, Values } from '../../../src/kafka/protocol/schema.ts'
import { ZERO_UUID } from '../../../src/kafka/protocol/schema.ts'
import { createTopics } from '../../../src/kafka/apis/create-topics.ts'
import { listOffsets } from '../../../src/kafka/apis/list-offsets.ts'
import { metadata } from '../../../src/kafka/apis/metadata.ts'
import { KafkaTestClient, type ApiMessages } from '../../helpers/kafka-client.ts'
import { Names, factsOf, UUID, type Facts } from './facts.ts'

/** What a scenario says of a message; what it leaves out has its default. */
export type Partly<T> = T extends Uint8Array
  ? T
  : T extends (infer I)[]
    ? Partly<I>[]
    : T extends object
      ? { [K in keyof T]?: Partly<T[K]> }
      : T

/** Some requests, one after another, that any server can be asked. Topics and groups have names of this scenario's own. */
export interface Scenario {
  name: string
  run(world: World): Promise<void>
}

export class World implements AsyncDisposable {
  /** What was answered, by `scenario / question / field`. */
  readonly facts: Facts = new Map()
  private readonly names = new Names()
  private client: KafkaTestClient | null = null
  private scenario = ''

  constructor(private readonly bootstrapServer: string) {}

  async play(scenarios: readonly Scenario[]): Promise<void> {
    for (const scenario of scenarios) {
      this.scenario = scenario.name
      await scenario.run(this)
    }
  }

  /** Another connection to the same server, whose answers are facts of the same scenario. */
  beside(): World {
    const other = new World(this.bootstrapServer)
    Object.assign(other, { facts: this.facts, names: this.names, scenario: this.scenario })
    return other
  }

  /** Asks and keeps the answer; null where the connection was closed instead, which is a fact as well. */
  async ask<Q extends Shape, A extends Shape>(
    question: string,
    api: ApiMessages<Q, A>,
    version: number,
    values?: Partly<Values<Q>>,
  ): Promise<Values<A> | null> {
    try {
      const answer = await this.quietly(api, version, values)
      this.note(question, answer)
      return answer
    } catch (error) {
      const message = (error as Error).message
      this.note(question, message)
      if (!message.includes('closed')) throw error
      this.client = null
      return null
    }
  }

  /** Asks without keeping the answer. */
  async quietly<Q extends Shape, A extends Shape>(
    api: ApiMessages<Q, A>,
    version: number,
    values?: Partly<Values<Q>>,
  ): Promise<Values<A>> {
    this.client ??= await KafkaTestClient.connect(this.bootstrapServer)
    return this.client.send(api, version, filled(api.request, values ?? {}))
  }

  /** Sends bytes on a connection of their own, and keeps what comes of them. */
  async send(question: string, bytes: Buffer): Promise<void> {
    await using client = await KafkaTestClient.connect(this.bootstrapServer)
    const answer = client.answerTo(7)
    client.socket.write(bytes)
    const outcome = await answer.then(
      (frame) => `an answer of error ${frame.length < 6 ? 'none' : frame.readInt16BE(4)}`,
      (error: Error) => error.message,
    )
    this.note(question, { outcome })
  }

  /** Calls an id by a name that it has on every server. */
  call(id: string, name: string): void {
    const [uuid] = UUID.exec(id) ?? [id]
    this.names.give(uuid, name)
  }

  /** Keeps a fact that is found otherwise. */
  note(question: string, answer: unknown): void {
    for (const [path, value] of factsOf(`${this.scenario} / ${question}`, answer, this.names)) {
      if (this.facts.has(path)) throw new Error(`'${path}' is asked twice`)
      this.facts.set(path, value)
    }
  }

  /** Makes a topic and waits until the server knows it; gives its id. */
  async createTopic(name: string, numPartitions = 1, configs: Record<string, string> = {}): Promise<string> {
    const listed = Object.entries(configs).map(([key, value]) => ({ name: key, value }))
    const topics = [{ name, numPartitions, replicationFactor: 1, configs: listed }]
    const { topics: made } = await this.quietly(createTopics, 7, { topics })
    if (made[0].errorCode !== 0) throw new Error(`${name} is not made: ${made[0].errorCode} ${made[0].errorMessage}`)
    await this.untilLed(name, numPartitions)
    this.names.give(made[0].topicId, `id of ${name}`)
    return made[0].topicId
  }

  /** A controller tells its brokers of a topic only after it has answered. */
  async untilKnown(name: string, isKnown = true): Promise<void> {
    await this.until(async () => {
      const request = { topics: [{ topicId: ZERO_UUID, name }], allowAutoTopicCreation: false }
      const { topics } = await this.quietly(metadata, 9, request)
      return (topics[0].errorCode === 0 && topics[0].partitions.every(({ errorCode }) => errorCode === 0)) === isKnown
    })
  }

  /** A broker leads a partition only after it knows it. */
  private async untilLed(name: string, count: number): Promise<void> {
    const asked = Array.from({ length: count }, (_, partitionIndex) => ({ partitionIndex, timestamp: -1 }))
    await this.until(async () => {
      const { topics } = await this.quietly(listOffsets, 7, { topics: [{ name, partitions: asked }] })
      return topics[0].partitions.every(({ errorCode }) => errorCode === 0)
    })
  }

  async until(holds: () => Promise<boolean>): Promise<void> {
    while (!(await holds()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client?.[Symbol.asyncDispose]()
  }
}

/** A message with what was left out. */
function filled<S extends Shape>(shape: S, values: object): Values<S> {
  const given = values as Record<string, {} | null | undefined>
  return Object.fromEntries(
    Object.entries(shape).map(([name, { type, default: byDefault }]) => {
      const value = given[name]
      return [name, value === undefined ? byDefault : filledValue(type, value)]
    }),
  ) as Values<S>
}

function filledValue(type: Shape[string]['type'], value: {} | null): unknown {
  if (value === null) return null
  if (type.kind === 'struct') return filled(type.fields, value)
  if (type.kind === 'array') return (value as ({} | null)[]).map((item) => filledValue(type.of, item))
  return value
}
