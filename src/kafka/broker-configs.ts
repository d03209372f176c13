import { resolve } from 'node:path'
import { MODERN_HEARTBEAT_INTERVAL_MS, MODERN_SESSION_TIMEOUT_MS } from '../group/modern/modern-group.ts'
import { serverAssignors } from '../group/modern/target-assignment.ts'
import { OFFSETS_PARTITIONS } from '../engine/internal-topics.ts'
import type { Call } from './api.ts'
import { topicConfigs, type ConfigType } from './topic-configs.ts'

/** One configuration of a broker: none of them can be changed while it runs. */
export interface BrokerConfigValue {
  name: string
  type: ConfigType
  value: string
  documentation: string
  /** Whether somebody, or the machine, has set it. */
  isSet: boolean
}

/** The configurations that tools look for at a broker, by Kafka's names, and the defaults of topics. */
export function describeBrokerConfigs(nodeId: number, { broker }: Call): BrokerConfigValue[] {
  const { engine, limits, settings, nodes } = broker
  const { host, port } = nodes.find((node) => node.nodeId === nodeId)!
  const listener = `PLAINTEXT://${host.includes(':') ? `[${host}]` : host}:${port}`
  const groups = engine.groupOptions ?? {}
  const set = (name: string, type: ConfigType, value: string | number | boolean, documentation: string) => ({
    name,
    type,
    value: String(value),
    documentation,
    isSet: true,
  })
  const given = (
    name: string,
    type: ConfigType,
    value: number | undefined,
    byDefault: number,
    documentation: string,
  ) => ({
    ...set(name, type, value ?? byDefault, documentation),
    isSet: value !== undefined,
  })
  const always = (name: string, type: ConfigType, value: string | number | boolean, documentation: string) => ({
    ...set(name, type, value, documentation),
    isSet: false,
  })
  const { offsetsRetentionMs = -1 } = groups
  const minutes = offsetsRetentionMs < 0 ? -1 : Math.ceil(offsetsRetentionMs / 60_000)
  const configs = [
    set('advertised.listeners', 'string', listener, 'Where clients are told to connect to.'),
    set(
      'auto.create.topics.enable',
      'boolean',
      settings.autoCreateTopics,
      'A client that asks for a topic that is not there gets it.',
    ),
    set('broker.id', 'int', nodeId, 'The id of this node.'),
    set(
      'connections.max.idle.ms',
      'long',
      limits.idleMs,
      'A connection that says nothing for so long is closed. Milliseconds.',
    ),
    always('default.replication.factor', 'int', 1, 'Copies of each partition.'),
    always('delete.topic.enable', 'boolean', true, 'Topics can be deleted.'),
    always(
      'group.consumer.assignors',
      'list',
      serverAssignors.join(),
      'What divides the partitions of consumer groups.',
    ),
    always(
      'group.consumer.heartbeat.interval.ms',
      'int',
      MODERN_HEARTBEAT_INTERVAL_MS,
      'How often members of consumer groups are told to be heard of. Milliseconds.',
    ),
    given('group.consumer.max.size', 'int', groups.maxSize, 1_000, 'Members of one consumer group.'),
    always(
      'group.consumer.migration.policy',
      'string',
      'disabled',
      'Only a group without members changes its protocol.',
    ),
    always(
      'group.consumer.session.timeout.ms',
      'int',
      MODERN_SESSION_TIMEOUT_MS,
      'A member of a consumer group that is not heard of for so long is gone. Milliseconds.',
    ),
    always('group.coordinator.rebalance.protocols', 'list', 'classic,consumer', 'The protocols of groups.'),
    given(
      'group.initial.rebalance.delay.ms',
      'int',
      groups.initialRebalanceDelayMs,
      0,
      'How long the first rebalance of a group waits for more members. Milliseconds.',
    ),
    given(
      'group.max.session.timeout.ms',
      'int',
      groups.maxSessionTimeoutMs,
      1_800_000,
      'The greatest session timeout of a member. Milliseconds.',
    ),
    given('group.max.size', 'int', groups.maxSize, 1_000, 'Members of one group.'),
    given(
      'group.min.session.timeout.ms',
      'int',
      groups.minSessionTimeoutMs,
      6_000,
      'The least session timeout of a member. Milliseconds.',
    ),
    set('listeners', 'string', listener, 'Where it listens.'),
    always('log.cleaner.enable', 'boolean', true, 'Topics are compacted whose cleanup.policy says so.'),
    set('log.dir', 'string', resolve(engine.directory), 'Where everything is kept.'),
    set('log.dirs', 'string', resolve(engine.directory), 'Where everything is kept.'),
    set('max.connections', 'int', limits.maxConnections, 'Connections at a time.'),
    set('node.id', 'int', nodeId, 'The id of this node.'),
    set('num.partitions', 'int', settings.defaultPartitions, 'Partitions of a topic where nobody says how many.'),
    given(
      'offset.metadata.max.bytes',
      'int',
      groups.maxMetadataBytes,
      4_096,
      'The most text that may go with a committed offset. Bytes.',
    ),
    {
      ...set(
        'offsets.retention.minutes',
        'int',
        minutes,
        'How long offsets are kept of a group without members; -1: for ever.',
      ),
      isSet: minutes >= 0,
    },
    always('offsets.topic.num.partitions', 'int', OFFSETS_PARTITIONS, 'Partitions of __consumer_offsets.'),
    always('offsets.topic.replication.factor', 'int', 1, 'Copies of __consumer_offsets.'),
    always('process.roles', 'list', 'broker,controller', 'What this process is.'),
    set('socket.request.max.bytes', 'int', limits.maxRequestBytes, 'The largest request. Bytes.'),
  ]
  for (const { server, type, default: value, documentation } of topicConfigs.values())
    if (server !== null) configs.push(always(server, type, value, documentation))
  return configs.sort((a, b) => (a.name < b.name ? -1 : 1))
}
