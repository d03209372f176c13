/** Kafka's own command line tools against a server of this process, as people type them. */
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startKafka, type KafkaServer } from '../../src/kafka/index.ts'
import { JavaProcess } from './java-process.ts'
import { findKafka } from './kafka.ts'

const TOOLS = fileURLToPath(new URL('JavaTools.java', import.meta.url))
const PACKAGE = 'org.apache.kafka.tools'
const kafka = findKafka()

// reason: without Java and Maven there are no tools; findKafka says so on the console
describe.skipIf(kafka.missing !== undefined)('the command line tools of Kafka', () => {
  let server: KafkaServer
  let java: JavaProcess

  beforeAll(async () => {
    server = await startKafka()
    java = new JavaProcess(kafka, TOOLS)
  })

  afterAll(async () => {
    await java[Symbol.asyncDispose]()
    await server.close()
  })

  /** What a tool prints, and how it ends, last. */
  async function run(tool: string, words: string, input: readonly string[] = []): Promise<string[]> {
    const from = java.lines.length
    const bootstrap = `--bootstrap-server ${server.bootstrapServers[0]}`
    java.say([`${tool} ${words.replace('BOOTSTRAP', bootstrap)}`, ...input].join('\t'))
    const isEnd = (line: string) => line.startsWith('ended: ')
    await java.until((lines) => lines.slice(from).some(isEnd))
    // warnings, of a machine that is slow for instance, come in between
    const isSaid = (line: string) => line !== '' && !line.includes('KIP-848') && !/^\[.*\] WARN /.test(line)
    return java.lines.slice(from).filter(isSaid)
  }

  test('kafka-topics makes, describes, alters, lists and deletes topics', async () => {
    const topics = (words: string) => run(`${PACKAGE}.TopicCommand`, `BOOTSTRAP ${words}`)
    expect(await topics('--create --topic t --partitions 2 --config retention.ms=9000000')).toEqual([
      'Created topic t.',
      'ended: 0',
    ])
    const [described, first] = await topics('--describe --topic t')
    expect(described).toMatch(
      /Topic: t\s+TopicId: \S{22}\s+PartitionCount: 2\s+ReplicationFactor: 1\s+Configs: .*retention.ms=9000000/,
    )
    expect(first).toMatch(/Topic: t\s+Partition: 0\s+Leader: 1\s+Replicas: 1\s+Isr: 1/)
    expect(await topics('--alter --topic t --partitions 3')).toEqual(['ended: 0'])
    expect(await topics('--list')).toEqual(['t', 'ended: 0'])
    expect((await topics('--create --topic t')).join(' ')).toContain('TopicExistsException')
    expect(await topics('--create --topic gone')).toContain('ended: 0')
    expect(await topics('--delete --topic gone')).toEqual(['ended: 0'])
    expect(await topics('--list --exclude-internal')).toEqual(['t', 'ended: 0'])
  })

  test('kafka-console-producer writes what kafka-console-consumer reads', async () => {
    const keyed = 'BOOTSTRAP --topic console --reader-property parse.key=true --reader-property key.separator=:'
    for (const codec of ['none', 'gzip', 'snappy', 'lz4', 'zstd'])
      expect(
        await run(`${PACKAGE}.ConsoleProducer`, `${keyed} --compression-codec ${codec}`, [`k:${codec}`]),
      ).toContain('ended: 0')
    const words = 'BOOTSTRAP --topic console --from-beginning --max-messages 5 --formatter-property print.key=true'
    const read = await run(`${PACKAGE}.consumer.ConsoleConsumer`, `${words} --group console`)
    expect(read).toEqual([
      ...['none', 'gzip', 'snappy', 'lz4', 'zstd'].map((codec) => `k\t${codec}`),
      'Processed a total of 5 messages',
      'ended: 0',
    ])
  })

  test('kafka-consumer-groups lists, describes, resets and deletes groups', async () => {
    const groups = (words: string) => run(`${PACKAGE}.consumer.group.ConsumerGroupCommand`, `BOOTSTRAP ${words}`)
    expect(await groups('--list')).toEqual(['console', 'ended: 0'])
    expect((await groups('--describe --group console')).join('\n')).toMatch(/console\s+console\s+0\s+5\s+5\s+0/)
    const reset = await groups('--reset-offsets --group console --topic console --to-offset 2 --execute')
    expect(reset.join('\n')).toMatch(/console\s+console\s+0\s+2/)
    expect((await groups('--describe --group console --state')).join('\n')).toMatch(/Empty\s+0/)
    expect(await groups('--delete --group console')).toContain(
      "Deletion of requested consumer groups ('console') was successful.",
    )
  })

  test('kafka-configs tells and changes configurations', async () => {
    const configs = (words: string) => run('kafka.admin.ConfigCommand', `BOOTSTRAP ${words}`)
    expect(
      await configs('--alter --entity-type topics --entity-name t --add-config max.message.bytes=300000'),
    ).toContain('ended: 0')
    expect((await configs('--describe --entity-type topics --entity-name t')).join('\n')).toContain(
      'max.message.bytes=300000',
    )
    expect(await configs('--alter --entity-type topics --entity-name t --delete-config max.message.bytes')).toContain(
      'ended: 0',
    )
    expect((await configs('--describe --entity-type topics --entity-name t --all')).join('\n')).toContain(
      'max.message.bytes=1048588',
    )
    expect((await configs('--describe --entity-type brokers --entity-name 1 --all')).join('\n')).toContain(
      'num.partitions=1',
    )
  })

  test('the performance tools measure', async () => {
    const { bootstrapServers } = server
    const props = `--bootstrap-server ${bootstrapServers[0]} --command-property compression.type=lz4`
    const produced = await run(
      `${PACKAGE}.ProducerPerformance`,
      `--topic perf --num-records 5000 --record-size 100 --throughput -1 ${props}`,
    )
    expect(produced.at(-2)).toMatch(/^5000 records sent/)
    const consumed = await run(`${PACKAGE}.ConsumerPerformance`, 'BOOTSTRAP --topic perf --num-records 5000')
    expect(consumed.join('\n')).toMatch(/, 5000, /)
    const latency = await run(
      `${PACKAGE}.EndToEndLatency`,
      `BOOTSTRAP --topic latency --num-records 20 --producer-acks 1 --record-size 20`,
    )
    expect(latency.join('\n')).toContain('Percentiles')
  })

  test('the tools for offsets, records, log directories and versions understand what they are told', async () => {
    expect(await run(`${PACKAGE}.GetOffsetShell`, 'BOOTSTRAP --topic perf')).toEqual(['perf:0:5000', 'ended: 0'])
    expect(await run(`${PACKAGE}.GetOffsetShell`, 'BOOTSTRAP --topic perf --time earliest')).toEqual([
      'perf:0:0',
      'ended: 0',
    ])
    expect((await run(`${PACKAGE}.LogDirsCommand`, 'BOOTSTRAP --describe --topic-list perf')).join('\n')).toContain(
      '"perf-0"',
    )
    const versions = await run(`${PACKAGE}.BrokerApiVersionsCommand`, 'BOOTSTRAP')
    expect(versions.join('\n')).toMatch(/Fetch\(1\): 4 to 18 \[usable: 18\]/)
    expect((await run(`${PACKAGE}.ClusterTool`, 'cluster-id BOOTSTRAP')).join('\n')).toContain('Cluster ID: ')
    expect(await run(`${PACKAGE}.GroupsCommand`, 'BOOTSTRAP --list')).toContain('ended: 0')
  })

  test('a tool for what is not served says so, and ends', async () => {
    const elected = await run(
      `${PACKAGE}.LeaderElectionCommand`,
      'BOOTSTRAP --election-type preferred --topic perf --partition 0',
    )
    expect(elected.join('\n')).toContain('UnsupportedVersionException')
    expect(elected).toContain('ended: 1')
  })
})
