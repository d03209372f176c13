/** Kafka's topic configurations, in both directions. */
import { expect, test } from 'vitest'
import { topicConfigChecks } from '../../src/engine/topic-config.ts'
import { describeTopicConfigs, parseTopicConfigs, topicConfigs } from '../../src/kafka/topic-configs.ts'

const codeOf = (name: string, value: string) => {
  try {
    parseTopicConfigs([[name, value]])
    return null
  } catch (error) {
    return (error as { code?: string }).code
  }
}

test('every field of a topic has one name in Kafka, but for those that Kafka has not', () => {
  const fields = [...topicConfigs.values()].flatMap(({ field }) => field ?? [])
  const own = ['valueCodec', 'partitioner', 'flush']
  expect(fields.concat(own as never).sort()).toEqual(Object.keys(topicConfigChecks).sort())
})

test.each([...topicConfigs.values()])('$name is accepted with its default, and told so', (config) => {
  const { set, unset } = parseTopicConfigs([[config.name, config.default]])
  const told = describeTopicConfigs(set).find(({ name }) => name === config.name)!
  expect(told.value).toBe(config.default)
  // what Varve has no use for, and what says that nothing is set, sets nothing
  expect(told.isSet).toBe(config.field !== null && config.name !== 'compression.type')
  expect(unset).toEqual(config.name === 'compression.type' ? ['compressionType'] : [])
})

test.each([...topicConfigs.values()].filter(({ field }) => field === null))(
  '$name, of which Varve has no use, is refused with another value',
  ({ name }) => expect(codeOf(name, '77')).toBe('INVALID_CONFIG'),
)

test.each([
  ['segment.bytes', ' 1000 ', '1000'],
  ['retention.ms', '9223372036854775807', '9223372036854775807'],
  ['retention.ms', '-1', '-1'],
  ['min.cleanable.dirty.ratio', '.25', '0.25'],
  ['min.cleanable.dirty.ratio', '1e-1', '0.1'],
  ['cleanup.policy', 'delete,compact', 'compact,delete'],
  ['cleanup.policy', 'compact', 'compact'],
  ['compression.type', 'uncompressed', 'uncompressed'],
  ['compression.type', 'gzip', 'gzip'],
  ['message.timestamp.type', 'LogAppendTime', 'LogAppendTime'],
])('%s may be %j, and is told as %j', (name, value, told) => {
  const { set } = parseTopicConfigs([[name, value]])
  expect(describeTopicConfigs(set).find((config) => config.name === name)).toMatchObject({ value: told, isSet: true })
})

test.each([
  ['segment.bytes', '13'],
  ['segment.bytes', '2147483648'],
  ['segment.bytes', '0x10'],
  ['segment.bytes', '1e3'],
  ['segment.bytes', ''],
  ['retention.ms', '-2'],
  ['retention.ms', '-9223372036854775808'],
  ['retention.ms', '99999999999999999999'],
  ['retention.ms', '9223372036854775808'],
  ['min.cleanable.dirty.ratio', '1.1'],
  ['min.cleanable.dirty.ratio', 'NaN'],
  ['cleanup.policy', ''],
  ['cleanup.policy', 'compact,shred'],
  ['compression.type', 'none'],
  ['compression.type', 'GZIP'],
  ['message.timestamp.type', 'CreateTimes'],
  ['constructor', '1'],
])('%s may not be %j', (name, value) => expect(codeOf(name, value)).toBe('INVALID_CONFIG'))
