import { refuseInternal } from '../engine/internal-topics.ts'
import { checkTopicName } from '../engine/topic-config.ts'
import type { Topic } from '../engine/topic.ts'
import { outcomeOf, repeated, type Call } from './api.ts'
import { INVALID_REQUEST, Refusal } from './error-codes.ts'
import { int16, int32, int8, list, nullableString, string, type Values } from './protocol/schema.ts'
import { describeTopicConfigs, parseTopicConfigs } from './topic-configs.ts'

/** Kafka's numbers of what configurations are of. */
export const resourceTypes = { topic: 2, broker: 4 } as const

/** Kafka's numbers of where a value comes from. */
export const configSources = { topic: 1, staticBroker: 4, default: 5 } as const

/** The answer to both requests that change configurations. */
export const alterResponse = {
  throttleTimeMs: int32(),
  responses: list({
    errorCode: int16(),
    errorMessage: nullableString(),
    resourceType: int8(),
    resourceName: string(),
  }),
}

/** What has a configuration. */
export interface ResourceName {
  resourceType: number
  resourceName: string
}

/** The same for the same resource only. */
export function resourceKey({ resourceType, resourceName }: ResourceName): string {
  return `${resourceType}/${resourceName}`
}

/** @throws Refusal INVALID_REQUEST for a resource that is among `repeatedKeys` */
export function refuseRepeated(resource: ResourceName, repeatedKeys: ReadonlySet<string>): void {
  if (!repeatedKeys.has(resourceKey(resource))) return
  throw new Refusal(INVALID_REQUEST, `the resource '${resource.resourceName}' stands in the request more than once`)
}

/** What a request names, without what it wants of it. */
export interface Resource extends ResourceName {
  configs: readonly { name: string }[]
}

/** New values by name; null: the default. */
export type Changes = Iterable<readonly [name: string, value: string | null]>

/**
 * Changes resources one by one.
 *
 * @param changesOf what a resource's request comes to, where `stored` are the values that were set
 */
export async function alterResources<R extends Resource>(
  api: string,
  resources: readonly R[],
  validateOnly: boolean,
  call: Call,
  changesOf: (resource: R, stored: ReadonlyMap<string, string>) => Changes,
): Promise<Values<typeof alterResponse>> {
  const twice = repeated(resources.map(resourceKey))
  const responses = []
  for (const resource of resources) {
    const { resourceType, resourceName } = resource
    const outcome = await outcomeOf(api, call, async () => {
      refuseRepeated(resource, twice)
      const topic = topicOf(resource, call)
      const { set, unset } = parseTopicConfigs(changesOf(resource, storedOf(topic)))
      if (!validateOnly) await call.broker.log.admin.alter(topic.name, set, unset)
    })
    responses.push({ ...outcome, resourceType, resourceName })
  }
  return { throttleTimeMs: 0, responses }
}

/** The answer where all of it is refused. */
export function refuseResources(
  resources: readonly Resource[],
  errorCode: number,
  errorMessage: string,
): Values<typeof alterResponse> {
  const responses = resources.map(({ resourceType, resourceName }) => ({
    errorCode,
    errorMessage,
    resourceType,
    resourceName,
  }))
  return { throttleTimeMs: 0, responses }
}

function topicOf({ resourceType, resourceName, configs }: Resource, { broker }: Call): Topic {
  if (resourceType !== resourceTypes.topic) {
    const what = resourceType === resourceTypes.broker ? 'a broker' : `a resource of type ${resourceType}`
    throw new Refusal(INVALID_REQUEST, `configurations of ${what} cannot be changed, only those of topics`)
  }
  checkTopicName(resourceName)
  refuseInternal(resourceName)
  const [name] = repeated(configs.map((config) => config.name))
  if (name !== undefined) throw new Refusal(INVALID_REQUEST, `configuration '${name}' is given more than once`)
  return broker.engine.topic(resourceName)
}

function storedOf({ record }: Topic): Map<string, string> {
  const set = describeTopicConfigs(record.config).filter(({ isSet }) => isSet)
  return new Map(set.map(({ name, value }) => [name, value]))
}
