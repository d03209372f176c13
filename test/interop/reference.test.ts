/** The same requests to a real Apache Kafka and to Varve: what they answer differently is known, and has its reason. */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, describe, test } from 'vitest'
import { startKafka } from '../../src/kafka/start.ts'
import { findKafka } from './kafka.ts'
import { startKafkaNode } from './kafka-node.ts'
import { adminScenarios } from './reference/admin.ts'
import { configScenarios } from './reference/configs.ts'
import { differencesOf, explain } from './reference/differences.ts'
import { explanations } from './reference/explanations.ts'
import type { Facts } from './reference/facts.ts'
import { fetchScenarios } from './reference/fetch.ts'
import { frameScenarios } from './reference/frames.ts'
import { groupScenarios } from './reference/groups.ts'
import { modernScenarios } from './reference/modern.ts'
import { offsetScenarios } from './reference/offsets.ts'
import { produceScenarios } from './reference/produce.ts'
import { render } from './reference/render.ts'
import { World } from './reference/world.ts'

const PAGE = fileURLToPath(new URL('../../docs/kafka-differences.md', import.meta.url))
/** Kafka assigns a newer group's partitions a second after it has changed; Varve does it at once. */
const assignedAtOnce = {
  'group.consumer.min.assignment.interval.ms': 0,
  'group.consumer.assignment.interval.ms': 0,
  // one coordinator, whose view of topics is one
  'offsets.topic.num.partitions': 1,
}
const kafka = findKafka()

async function factsOf(bootstrapServer: string): Promise<Facts> {
  await using world = new World(bootstrapServer)
  await world.play([...groupScenarios, ...modernScenarios])
  await world.play([
    ...offsetScenarios,
    ...produceScenarios,
    ...fetchScenarios,
    ...adminScenarios,
    ...configScenarios,
    ...frameScenarios,
  ])
  return world.facts
}

// reason: without Java and Maven there is no Kafka to ask; findKafka says so on the console
describe.skipIf(kafka.missing !== undefined)('beside Apache Kafka', () => {
  test('what is answered differently is what docs/kafka-differences.md tells, no more and no less', async () => {
    await using node = await startKafkaNode(kafka, { properties: assignedAtOnce })
    const reference = await factsOf(node.bootstrapServers[0])
    const warnings: string[] = []
    await using server = await startKafka({ onWarning: (message) => void warnings.push(message) })
    const found = await factsOf(server.bootstrapServers[0])
    // what the peer has sent, and never what failed here
    expect(warnings.filter((line) => !/^connection of \S+ closed: /.test(line))).toEqual([])
    expect(reference.size).toBeGreaterThan(5_000)
    const { explained, unexplained, vanished } = explain(differencesOf(reference, found), explanations)
    expect(unexplained.map((one) => `${one.where}: Kafka ${one.kafka}; Varve ${one.varve}`)).toEqual([])
    expect(vanished, 'explanations of what does not differ').toEqual([])
    const page = render(explained)
    if (process.env['UPDATE_DIFFERENCES'] === '1') writeFileSync(PAGE, page)
    expect(readFileSync(PAGE, 'utf8')).toBe(page)
  })
})
