import { VarveError } from '../../errors.ts'
import { defineApi } from '../api.ts'
import { alterResources, alterResponse, refuseResources } from '../config-resources.ts'
import { INVALID_REQUEST, Refusal } from '../error-codes.ts'
import { boolean, int8, list, nullableString, string, type Values } from '../protocol/schema.ts'
import { topicConfigNamed } from '../topic-configs.ts'

const change = { name: string(), configOperation: int8(), value: nullableString() }

/** Kafka's numbers of what is to be done with a configuration. */
const SET = 0
const DELETE = 1
const APPEND = 2
const SUBTRACT = 3

/** Changes single configurations of topics; those that are not named stay. */
export const incrementalAlterConfigs = defineApi({
  key: 44,
  name: 'IncrementalAlterConfigs',
  versions: [0, 1],
  flexibleSince: 1,
  request: {
    resources: list({ resourceType: int8(), resourceName: string(), configs: list(change) }),
    validateOnly: boolean(),
  },
  response: alterResponse,
  handle: ({ resources, validateOnly }, call) =>
    alterResources('IncrementalAlterConfigs', resources, validateOnly, call, ({ configs }, stored) =>
      configs.map((config) => [config.name, valueAfter(config, stored)] as const),
    ),
  refuse: ({ resources }, errorCode, message) => refuseResources(resources, errorCode, message),
})

/** What a configuration becomes; null: its default. */
function valueAfter(
  { name, configOperation, value }: Values<typeof change>,
  stored: ReadonlyMap<string, string>,
): string | null {
  if (configOperation === DELETE) return null
  if (configOperation < SET || configOperation > SUBTRACT)
    throw new Refusal(INVALID_REQUEST, `there is no operation ${configOperation} on a configuration`)
  if (value === null) throw new Refusal(INVALID_REQUEST, `configuration '${name}' must have a value`)
  if (configOperation === SET) return value
  const config = topicConfigNamed(name)
  if (config.type !== 'list')
    throw new VarveError('INVALID_CONFIG', `${name} is no list: nothing can be added to it or taken from it`)
  const items = new Set(itemsOf(stored.get(name) ?? config.default))
  for (const item of itemsOf(value)) {
    if (configOperation === APPEND) items.add(item)
    else items.delete(item)
  }
  return [...items].join(',')
}

function itemsOf(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}
