import { checkTopicName } from '../../engine/topic-config.ts'
import { defineApi, outcomeOf, repeated, type Call } from '../api.ts'
import { describeBrokerConfigs } from '../broker-configs.ts'
import { configSources, refuseRepeated, resourceKey, resourceTypes } from '../config-resources.ts'
import { INVALID_REQUEST, Refusal } from '../error-codes.ts'
import {
  boolean,
  int16,
  int32,
  int8,
  list,
  nullableArray,
  nullableString,
  string,
  type Values,
} from '../protocol/schema.ts'
import { configTypes, describeTopicConfigs, type ConfigType } from '../topic-configs.ts'

const described = {
  name: string(),
  value: nullableString(),
  readOnly: boolean(),
  isDefault: boolean({ until: 0 }),
  configSource: int8({ since: 1, default: -1 }),
  isSensitive: boolean(),
  synonyms: list({ name: string(), value: nullableString(), source: int8() }, { since: 1 }),
  configType: int8({ since: 3 }),
  documentation: nullableString({ since: 3 }),
}

const resource = {
  resourceType: int8(),
  resourceName: string(),
  configurationKeys: nullableArray(string()),
}

/** Tells the configuration of topics and of nodes; those of a topic are all that Kafka has, and where each comes from. */
export const describeConfigs = defineApi({
  key: 32,
  name: 'DescribeConfigs',
  versions: [0, 4],
  flexibleSince: 4,
  request: {
    resources: list(resource),
    includeSynonyms: boolean({ since: 1 }),
    includeDocumentation: boolean({ since: 3 }),
  },
  response: {
    throttleTimeMs: int32(),
    results: list({
      errorCode: int16(),
      errorMessage: nullableString(),
      resourceType: int8(),
      resourceName: string(),
      configs: list(described),
    }),
  },
  async handle({ resources, includeSynonyms, includeDocumentation }, call) {
    // no small request may ask for one long answer over and over
    const twice = repeated(resources.map(resourceKey))
    const results = []
    for (const asked of resources) {
      const { resourceType, resourceName, configurationKeys } = asked
      let configs: Values<typeof described>[] = []
      const outcome = await outcomeOf('DescribeConfigs', call, async () => {
        refuseRepeated(asked, twice)
        const found = describe(resourceType, resourceName, call)
        // none named means all, as in Kafka
        const wanted = new Set(configurationKeys ?? [])
        configs = found.filter(({ name }) => wanted.size === 0 || wanted.has(name))
      })
      for (const config of configs) {
        if (!includeSynonyms) config.synonyms = []
        if (!includeDocumentation) config.documentation = null
      }
      results.push({ ...outcome, resourceType, resourceName, configs })
    }
    return { throttleTimeMs: 0, results }
  },
  refuse: ({ resources }, errorCode, errorMessage) => ({
    throttleTimeMs: 0,
    results: resources.map(({ resourceType, resourceName }) => ({
      errorCode,
      errorMessage,
      resourceType,
      resourceName,
      configs: [],
    })),
  }),
})

function describe(type: number, name: string, call: Call): Values<typeof described>[] {
  if (type === resourceTypes.topic) return describeTopic(name, call)
  if (type === resourceTypes.broker) return describeBroker(name, call)
  throw new Refusal(
    INVALID_REQUEST,
    `a resource of type ${type} has no configuration here, only topics and brokers have`,
  )
}

function describeTopic(name: string, { broker }: Call): Values<typeof described>[] {
  checkTopicName(name)
  return describeTopicConfigs(broker.engine.topic(name).record.config).map((config) => {
    const synonyms = []
    if (config.isSet) synonyms.push({ name: config.name, value: config.value, source: configSources.topic })
    if (config.server !== null)
      synonyms.push({ name: config.server, value: config.default, source: configSources.default })
    const source = config.isSet ? configSources.topic : configSources.default
    return entry(config, source, config.field === null, synonyms)
  })
}

function describeBroker(name: string, call: Call): Values<typeof described>[] {
  // what was changed for all brokers while they run: nothing
  if (name === '') return []
  const node = call.broker.nodes.find(({ nodeId }) => String(nodeId) === name)
  if (node === undefined) throw new Refusal(INVALID_REQUEST, `there is no broker '${name}'`)
  return describeBrokerConfigs(node.nodeId, call).map((config) => {
    const source = config.isSet ? configSources.staticBroker : configSources.default
    return entry(config, source, true, [{ name: config.name, value: config.value, source }])
  })
}

function entry(
  { name, value, type, documentation }: { name: string; value: string; type: ConfigType; documentation: string },
  configSource: number,
  readOnly: boolean,
  synonyms: Values<typeof described>['synonyms'],
): Values<typeof described> {
  const isDefault = configSource === configSources.default
  const configType = configTypes[type]
  return { name, value, readOnly, isDefault, configSource, isSensitive: false, synonyms, configType, documentation }
}
