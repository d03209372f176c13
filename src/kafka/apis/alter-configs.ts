import { defineApi } from '../api.ts'
import { alterResources, alterResponse, refuseResources } from '../config-resources.ts'
import { INVALID_REQUEST, Refusal } from '../error-codes.ts'
import { boolean, int8, list, nullableString, string } from '../protocol/schema.ts'

/** Gives topics a whole new configuration: what is not named goes back to its default. */
export const alterConfigs = defineApi({
  key: 33,
  name: 'AlterConfigs',
  versions: [0, 2],
  flexibleSince: 2,
  request: {
    resources: list({
      resourceType: int8(),
      resourceName: string(),
      configs: list({ name: string(), value: nullableString() }),
    }),
    validateOnly: boolean(),
  },
  response: alterResponse,
  handle: ({ resources, validateOnly }, call) =>
    alterResources('AlterConfigs', resources, validateOnly, call, ({ configs }, stored) => {
      const changes = new Map<string, string | null>([...stored.keys()].map((name) => [name, null]))
      for (const { name, value } of configs) {
        if (value === null) throw new Refusal(INVALID_REQUEST, `configuration '${name}' must have a value`)
        changes.set(name, value)
      }
      return changes
    }),
  refuse: ({ resources }, errorCode, message) => refuseResources(resources, errorCode, message),
})
