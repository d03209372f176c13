/** Configurations of topics and of servers. */
import { alterConfigs } from '../../../src/kafka/apis/alter-configs.ts'
import { describeConfigs } from '../../../src/kafka/apis/describe-configs.ts'
import { incrementalAlterConfigs } from '../../../src/kafka/apis/incremental-alter-configs.ts'
import type { Scenario } from './world.ts'

const description: Scenario = {
  name: 'DescribeConfigs',
  async run(world) {
    await world.createTopic('dc', 1, { 'retention.bytes': '5000', 'cleanup.policy': 'compact' })
    const ask = (
      question: string,
      resources: { resourceType: number; resourceName: string; configurationKeys?: string[] | null }[],
      version = 4,
      more: object = {},
    ) =>
      world.ask(question, describeConfigs, version, {
        resources: resources.map((one) => ({ configurationKeys: null, ...one })),
        includeSynonyms: true,
        ...more,
      })
    const topic = { resourceType: 2, resourceName: 'dc' }
    await ask('all', [topic])
    for (const version of [1, 2, 3])
      await ask(`version ${version}`, [{ ...topic, configurationKeys: ['retention.bytes', 'retention.ms'] }], version)
    await ask('without synonyms', [{ ...topic, configurationKeys: ['retention.bytes'] }], 4, { includeSynonyms: false })
    await ask('unknown key', [{ ...topic, configurationKeys: ['nothing'] }])
    await ask('unknown topic', [{ resourceType: 2, resourceName: 'dc-none' }])
    await ask('empty name', [{ resourceType: 2, resourceName: '' }])
    await ask('name that may not be', [{ resourceType: 2, resourceName: 'a b' }])
    await ask('twice', [
      { ...topic, configurationKeys: ['retention.bytes'] },
      { ...topic, configurationKeys: ['retention.bytes'] },
    ])
    await ask('unknown broker', [{ resourceType: 4, resourceName: '9' }])
    await ask('broker x', [{ resourceType: 4, resourceName: 'x' }])
    await ask('all brokers', [{ resourceType: 4, resourceName: '' }])
    for (const resourceType of [0, 1, 3, 5, 99])
      await ask(`type ${resourceType}`, [{ resourceType, resourceName: 'x' }])
    await ask('none', [])
    const keys = [
      'num.partitions',
      'auto.create.topics.enable',
      'message.max.bytes',
      'node.id',
      'log.retention.ms',
      'log.segment.bytes',
    ]
    await ask('a broker', [{ resourceType: 4, resourceName: '1', configurationKeys: keys }])
  },
}

const alteration: Scenario = {
  name: 'AlterConfigs',
  async run(world) {
    await world.createTopic('ac')
    const topic = { resourceType: 2, resourceName: 'ac' }
    type Config = { name: string; value: string | null; configOperation?: number }
    const ask = (question: string, configs: Config[], resource = topic, more: object = {}) =>
      world.ask(question, incrementalAlterConfigs, 1, { resources: [{ ...resource, configs }], ...more })
    const now = async (question: string, holds: (values: Map<string, string | null>) => boolean) => {
      await world.until(async () => {
        const { results } = await world.quietly(describeConfigs, 4, {
          resources: [{ ...topic, configurationKeys: null }],
        })
        const set = results[0].configs
          .filter(({ configSource }) => configSource === 1)
          .map(({ name, value }) => [name, value] as const)
        const values = new Map(set.sort(([a], [b]) => (a < b ? -1 : 1)))
        if (!holds(values)) return false
        world.note(question, Object.fromEntries(values))
        return true
      })
    }
    await ask('set', [
      { name: 'retention.ms', value: '5000' },
      { name: 'segment.ms', value: '7000' },
    ])
    await now('after set', (values) => values.has('segment.ms'))
    await ask('delete', [{ name: 'segment.ms', value: null, configOperation: 1 }])
    await ask('delete what is not set', [{ name: 'segment.bytes', value: null, configOperation: 1 }])
    await ask('append', [{ name: 'cleanup.policy', value: 'compact', configOperation: 2 }])
    await now('after append', (values) => values.has('cleanup.policy'))
    await ask('append what is there', [{ name: 'cleanup.policy', value: 'compact', configOperation: 2 }])
    await ask('subtract', [{ name: 'cleanup.policy', value: 'delete', configOperation: 3 }])
    await now('after subtract', (values) => values.get('cleanup.policy') === 'compact')
    await ask('subtract what is not there', [{ name: 'cleanup.policy', value: 'delete', configOperation: 3 }])
    await ask('subtract the last', [{ name: 'cleanup.policy', value: 'compact', configOperation: 3 }], topic, {
      validateOnly: true,
    })
    await ask('append to what is no list', [{ name: 'retention.ms', value: '1', configOperation: 2 }])
    await ask('append null', [{ name: 'cleanup.policy', value: null, configOperation: 2 }])
    await ask('set null', [{ name: 'retention.ms', value: null }])
    await ask('operation 4', [{ name: 'retention.ms', value: '1', configOperation: 4 }])
    await ask('a config twice', [
      { name: 'retention.ms', value: '1' },
      { name: 'retention.ms', value: '2' },
    ])
    await ask('unknown config', [{ name: 'nothing', value: '1' }])
    await ask('delete an unknown config', [{ name: 'nothing', value: null, configOperation: 1 }])
    await ask('bad value', [{ name: 'retention.ms', value: 'x' }])
    await ask('good and bad', [
      { name: 'segment.ms', value: '9000' },
      { name: 'retention.ms', value: 'x' },
    ])
    await ask('only checked', [{ name: 'segment.ms', value: '9000' }], topic, { validateOnly: true })
    await ask('none', [])
    await ask('unknown topic', [{ name: 'segment.ms', value: '9000' }], { resourceType: 2, resourceName: 'ac-none' })
    await ask('empty name', [{ name: 'segment.ms', value: '9000' }], { resourceType: 2, resourceName: '' })
    await ask('type 99', [{ name: 'segment.ms', value: '9000' }], { resourceType: 99, resourceName: 'ac' })
    await ask('unknown broker', [{ name: 'num.io.threads', value: '9' }], { resourceType: 4, resourceName: '9' })
    const twice = [1, 2].map((value) => ({ ...topic, configs: [{ name: 'segment.ms', value: String(value) }] }))
    await world.ask('a topic twice', incrementalAlterConfigs, 1, { resources: twice })
    await now('in the end', () => true)
    const replace = (question: string, version: number, configs: Config[], more: object = {}) =>
      world.ask(question, alterConfigs, version, { resources: [{ ...topic, configs }], ...more })
    await replace('replace, only checked', 2, [{ name: 'segment.ms', value: '8000' }], { validateOnly: true })
    for (const version of [0, 1, 2])
      await replace(`replace in version ${version}`, version, [{ name: 'segment.ms', value: `800${version}` }])
    await now('after replace', (values) => values.get('segment.ms') === '8002')
    await replace('replace by null', 2, [{ name: 'segment.ms', value: null }])
    await replace('replace by nothing', 2, [])
    await now('after replace by nothing', (values) => values.size === 0)
  },
}

export const configScenarios = [description, alteration]
