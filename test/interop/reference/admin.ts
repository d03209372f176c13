/** Topics, and what servers tell of themselves. */
import { apiVersions } from '../../../src/kafka/apis/api-versions.ts'
import { createPartitions } from '../../../src/kafka/apis/create-partitions.ts'
import { createTopics } from '../../../src/kafka/apis/create-topics.ts'
import { deleteTopics } from '../../../src/kafka/apis/delete-topics.ts'
import { describeCluster } from '../../../src/kafka/apis/describe-cluster.ts'
import { describeLogDirs } from '../../../src/kafka/apis/describe-log-dirs.ts'
import { describeTopicPartitions } from '../../../src/kafka/apis/describe-topic-partitions.ts'
import { metadata } from '../../../src/kafka/apis/metadata.ts'
import { NO_TOPIC } from './produce.ts'
import type { Scenario, World } from './world.ts'

const versions: Scenario = {
  name: 'ApiVersions',
  async run(world) {
    const software = { clientSoftwareName: 'test', clientSoftwareVersion: '1' }
    await world.ask('version 4', apiVersions, 4, software)
    for (const version of [0, 1, 2, 3]) {
      const { errorCode } = await world.quietly(apiVersions, version, software)
      world.note(`version ${version}`, errorCode)
    }
    for (const name of ['', 'a b', 'a.', '-a']) {
      const { errorCode } = await world.quietly(apiVersions, 3, {
        clientSoftwareName: name,
        clientSoftwareVersion: '1',
      })
      world.note(`software '${name}'`, errorCode)
    }
  },
}

const byName = (names: string[]) => names.sort((a, b) => (a < b ? -1 : 1))

const metadataForms: Scenario = {
  name: 'Metadata',
  async run(world) {
    const topicId = await world.createTopic('m', 2)
    const ask = (
      question: string,
      version: number,
      topics: { topicId?: string; name?: string | null }[] | null,
      more: object = {},
    ) => world.ask(question, metadata, version, { topics, allowAutoTopicCreation: false, ...more })
    for (let version = 0; version <= 13; version++) await ask(`version ${version}`, version, [{ name: 'm' }])
    await ask('none', 9, [])
    await ask('unknown', 9, [{ name: 'm-none' }])
    await ask('empty name', 9, [{ name: '' }])
    await ask('name that may not be', 9, [{ name: 'a b' }])
    await ask('name too long', 9, [{ name: 'a'.repeat(250) }])
    await ask('by id', 12, [{ topicId, name: null }])
    await ask('by id, in version 10', 10, [{ topicId, name: null }])
    await ask('by unknown id', 12, [{ topicId: NO_TOPIC, name: null }])
    await ask('by id and name', 12, [{ topicId, name: 'm' }])
    await ask('by neither', 12, [{ name: null }])
    await ask('twice', 12, [{ name: 'm' }, { name: 'm' }])
    await ask('by id and by name', 12, [{ topicId, name: null }, { name: 'm' }])
    await ask('authorized operations', 8, [{ name: 'm' }], {
      includeClusterAuthorizedOperations: true,
      includeTopicAuthorizedOperations: true,
    })
    const create = { allowAutoTopicCreation: true }
    for (const name of ['', '.', '..', 'a b', 'a'.repeat(250), '__consumer_offsetsx/'])
      await ask(`create '${name.slice(0, 30)}'`, 9, [{ name }], create)
    await world.quietly(metadata, 9, { topics: [{ name: 'm-made' }] })
    await world.untilKnown('m-made')
    await ask('made', 9, [{ name: 'm-made' }])
    const { topics } = await world.quietly(metadata, 9, { topics: null })
    world.note('all', byName(topics.map(({ name }) => name!).filter((name) => name.startsWith('m'))))
  },
}

async function create(
  world: World,
  question: string,
  topic: { name: string; configs?: Named[] } & Record<string, unknown>,
  version = 7,
  more: object = {},
) {
  const topics = [{ numPartitions: 1, replicationFactor: 1, ...topic }]
  const answer = await world.quietly(createTopics, version, { topics, timeoutMs: 10_000, ...more })
  for (const made of answer.topics) {
    const { name, errorCode, configs } = made
    // every configuration is compared once, where it is described
    const named = (topic.configs ?? []).map((config) => config.name)
    // Kafka makes ids up for topics that it only checks
    const topicId = 'validateOnly' in more && question !== 'only checked' ? '' : made.topicId
    world.note(question, { ...made, topicId, configs: (configs ?? []).filter((config) => named.includes(config.name)) })
    if (errorCode === 0 && !('validateOnly' in more)) await world.untilKnown(name)
  }
}

interface Named {
  name: string
}

const creation: Scenario = {
  name: 'CreateTopics',
  async run(world) {
    for (const version of [2, 3, 4, 5, 6, 7])
      await create(world, `version ${version}`, { name: `c${version}` }, version)
    await create(world, 'there already', { name: 'c7' })
    for (const name of [
      '',
      '.',
      '..',
      'a b',
      'ä',
      'a/b',
      'a'.repeat(249),
      'a'.repeat(250),
      '__consumer_offsets',
      '__cluster_metadata',
    ])
      await create(world, `name '${name.slice(0, 30)}' of ${name.length}`, { name })
    await create(world, 'dot and underscore collide, first', { name: 'c.dot' })
    await create(world, 'dot and underscore collide, second', { name: 'c_dot' })
    const counts = [0, -1, -2, 100_000]
    for (const numPartitions of counts)
      await create(world, `${numPartitions} partitions`, { name: `cp${numPartitions}`, numPartitions }, 7, {
        validateOnly: true,
      })
    for (const replicationFactor of [0, -1, -2, 2])
      await create(world, `replication ${replicationFactor}`, { name: `cr${replicationFactor}`, replicationFactor })
    await create(world, 'only checked', { name: 'c-checked' }, 7, { validateOnly: true })
    const configs = (...pairs: [string, string | null][]) => pairs.map(([name, value]) => ({ name, value }))
    const values: [string, string | null][] = [
      ['retention.ms', '-1'],
      ['retention.ms', '-2'],
      ['retention.ms', 'x'],
      ['retention.ms', ''],
      ['retention.ms', ' 5 '],
      ['retention.ms', null],
      ['retention.ms', '9223372036854775807'],
      ['retention.ms', '9223372036854775808'],
      ['retention.bytes', '-1'],
      ['retention.bytes', '-5'],
      ['segment.bytes', '13'],
      ['segment.bytes', '14'],
      ['segment.bytes', '1048576'],
      ['segment.bytes', '2147483648'],
      ['segment.ms', '0'],
      ['segment.ms', '1'],
      ['segment.index.bytes', '3'],
      ['segment.index.bytes', '12'],
      ['max.message.bytes', '-1'],
      ['max.message.bytes', '0'],
      ['index.interval.bytes', '-1'],
      ['index.interval.bytes', '0'],
      ['cleanup.policy', ''],
      ['cleanup.policy', 'delete,compact'],
      ['cleanup.policy', ' compact , delete '],
      ['cleanup.policy', 'compact,compact'],
      ['cleanup.policy', 'Delete'],
      ['cleanup.policy', 'none'],
      ['compression.type', 'producer'],
      ['compression.type', 'none'],
      ['compression.type', 'uncompressed'],
      ['compression.type', 'GZIP'],
      ['compression.type', 'brotli'],
      ['message.timestamp.type', 'CreateTime'],
      ['message.timestamp.type', 'LogAppendTime'],
      ['message.timestamp.type', 'logappendtime'],
      ['min.cleanable.dirty.ratio', '0'],
      ['min.cleanable.dirty.ratio', '1'],
      ['min.cleanable.dirty.ratio', '1.1'],
      ['min.cleanable.dirty.ratio', 'NaN'],
      ['min.insync.replicas', '1'],
      ['min.insync.replicas', '0'],
      ['min.insync.replicas', '2'],
      ['preallocate', 'false'],
      ['preallocate', 'true'],
      ['preallocate', 'yes'],
      ['flush.messages', '1'],
      ['flush.ms', '0'],
      ['file.delete.delay.ms', '1000'],
      ['delete.retention.ms', '-1'],
      ['min.compaction.lag.ms', '-1'],
      ['max.compaction.lag.ms', '0'],
      ['max.compaction.lag.ms', '5'],
      ['unclean.leader.election.enable', 'true'],
      ['message.format.version', '3.0'],
      ['message.downconversion.enable', 'true'],
      ['message.timestamp.difference.max.ms', '1'],
      ['no.such.config', '1'],
      ['', '1'],
    ]
    for (const [i, [name, value]] of values.entries())
      await create(world, `${name}=${value}`, { name: `cc${i}`, configs: configs([name, value]) }, 7, {
        validateOnly: true,
      })
    await create(world, 'a config twice', {
      name: 'c-twice',
      configs: configs(['retention.ms', '1'], ['retention.ms', '2']),
    })
    await create(world, 'assigned', {
      name: 'c-assigned',
      numPartitions: -1,
      replicationFactor: -1,
      assignments: [0, 1].map((partitionIndex) => ({ partitionIndex, brokerIds: [1] })),
    })
    await create(world, 'assigned and counted', {
      name: 'c-counted',
      assignments: [{ partitionIndex: 0, brokerIds: [1] }],
    })
    const assigned = (question: string, ...assignments: [number, number[]][]) =>
      create(world, `assigned: ${question}`, {
        name: `ca-${question.replaceAll(' ', '-')}`,
        numPartitions: -1,
        replicationFactor: -1,
        assignments: assignments.map(([partitionIndex, brokerIds]) => ({ partitionIndex, brokerIds })),
      })
    await assigned('unknown broker', [0, [9]])
    await assigned('broker twice', [0, [1, 1]])
    await assigned('no broker', [0, []])
    await assigned('from 1', [1, [1]])
    await assigned('gap', [0, [1]], [2, [1]])
    await assigned('partition twice', [0, [1]], [0, [1]])
    const two = (...names: string[]) => names.map((name) => ({ name, numPartitions: 1, replicationFactor: 1 }))
    await world.ask('one twice', createTopics, 4, {
      topics: two('c-double', 'c-double', 'c-single'),
      timeoutMs: 10_000,
    })
    await world.ask('good and bad', createTopics, 4, { topics: two('c-good', 'a b'), timeoutMs: 10_000 })
    await world.ask('no topic', createTopics, 7)
  },
}

const partitions: Scenario = {
  name: 'CreatePartitions',
  async run(world) {
    await world.createTopic('cp', 2)
    const ask = (question: string, topics: object[], version = 3, more: object = {}) =>
      world.ask(question, createPartitions, version, {
        topics: topics.map((one) => ({ assignments: null, ...one })),
        timeoutMs: 10_000,
        ...more,
      })
    await ask('the same', [{ name: 'cp', count: 2 }])
    await ask('fewer', [{ name: 'cp', count: 1 }])
    await ask('0', [{ name: 'cp', count: 0 }])
    await ask('-1', [{ name: 'cp', count: -1 }])
    await ask('unknown topic', [{ name: 'cp-none', count: 3 }])
    await ask('empty name', [{ name: '', count: 3 }])
    await ask('name that may not be', [{ name: 'a b', count: 3 }])
    await ask('the internal topic', [{ name: '__consumer_offsets', count: 60 }], 3, { validateOnly: true })
    await ask('only checked', [{ name: 'cp', count: 3 }], 3, { validateOnly: true })
    await ask('twice', [
      { name: 'cp', count: 3 },
      { name: 'cp', count: 4 },
    ])
    await ask('too few assigned', [{ name: 'cp', count: 4, assignments: [{ brokerIds: [1] }] }])
    await ask('too many assigned', [{ name: 'cp', count: 3, assignments: [{ brokerIds: [1] }, { brokerIds: [1] }] }])
    await ask('unknown broker', [{ name: 'cp', count: 3, assignments: [{ brokerIds: [9] }] }])
    await ask('two brokers', [{ name: 'cp', count: 3, assignments: [{ brokerIds: [1, 1] }] }])
    await ask('none assigned', [{ name: 'cp', count: 3, assignments: [{ brokerIds: [] }] }])
    await ask('assigned', [{ name: 'cp', count: 3, assignments: [{ brokerIds: [1] }] }], 3, { validateOnly: true })
    for (const version of [0, 1, 2, 3]) await ask(`version ${version}`, [{ name: 'cp', count: 3 + version }], version)
  },
}

const deletion: Scenario = {
  name: 'DeleteTopics',
  async run(world) {
    for (const version of [1, 2, 3, 4, 5]) {
      await world.createTopic(`del${version}`)
      await world.ask(`version ${version}`, deleteTopics, version, { topicNames: [`del${version}`], timeoutMs: 10_000 })
    }
    const topicId = await world.createTopic('del6')
    await world.createTopic('del7')
    const ask = (question: string, ...topics: { name?: string | null; topicId?: string }[]) =>
      world.ask(question, deleteTopics, 6, { topics, timeoutMs: 10_000 })
    await ask('by id and name', { name: 'del6', topicId })
    await ask('by neither', { name: null })
    await ask('by id and by name', { name: null, topicId }, { name: 'del6' })
    await ask('twice', { name: 'del7' }, { name: 'del7' })
    await ask('unknown', { name: 'del-none' })
    await ask('unknown id', { name: null, topicId: NO_TOPIC })
    await ask('empty name', { name: '' })
    await ask('by id', { name: null, topicId })
    await ask('by id again', { name: null, topicId })
    await ask('by name', { name: 'del7' })
    await ask('none')
    await world.untilKnown('del7', false)
    await world.createTopic('del7')
  },
}

const cluster: Scenario = {
  name: 'Cluster',
  async run(world) {
    for (const version of [0, 1, 2]) await world.ask(`version ${version}`, describeCluster, version)
    await world.ask('authorized operations', describeCluster, 1, { includeClusterAuthorizedOperations: true })
    await world.ask('controllers', describeCluster, 1, { endpointType: 2 })
    await world.ask('endpoint type 9', describeCluster, 1, { endpointType: 9 })
    await world.createTopic('cl', 3)
    const dirs = (question: string, version: number, topics: { topic: string; partitions: number[] }[] | null) =>
      world.ask(question, describeLogDirs, version, { topics })
    for (const version of [1, 2, 3, 4, 5])
      await dirs(`log dirs, version ${version}`, version, [{ topic: 'cl', partitions: [0, 2] }])
    await dirs('log dirs, unknown', 4, [
      { topic: 'cl', partitions: [7] },
      { topic: 'cl-none', partitions: [0] },
    ])
    await dirs('log dirs, no topic', 4, [])
    const describe = (question: string, topics: string[], more: object = {}) =>
      world.ask(question, describeTopicPartitions, 0, { topics: topics.map((name) => ({ name })), ...more })
    await describe('topic', ['cl'])
    await describe('two of three partitions', ['cl'], { responsePartitionLimit: 2 })
    await describe('limit 0', ['cl'], { responsePartitionLimit: 0 })
    await describe('from a cursor', ['cl'], { cursor: { topicName: 'cl', partitionIndex: 2 } })
    await describe('cursor beyond', ['cl'], { cursor: { topicName: 'cl', partitionIndex: 9 } })
    await describe('cursor -1', ['cl'], { cursor: { topicName: 'cl', partitionIndex: -1 } })
    await describe('cursor of another', ['cl'], { cursor: { topicName: 'zz', partitionIndex: 0 } })
    await describe('unknown', ['cl-none', 'cl'])
    await describe('name that may not be', ['a b', ''])
    await describe('twice', ['cl', 'cl'])
  },
}

export const adminScenarios = [versions, metadataForms, creation, partitions, deletion, cluster]
