import { defineApi } from '../api.ts'
import { array, int16, int32, int64, list, string, struct } from '../protocol/schema.ts'

/** Which APIs there are, in which versions: the first question of every client. */
export const apiVersions = defineApi({
  key: 18,
  name: 'ApiVersions',
  versions: [0, 4],
  flexibleSince: 3,
  request: {
    clientSoftwareName: string({ since: 3 }),
    clientSoftwareVersion: string({ since: 3 }),
  },
  response: {
    errorCode: int16(),
    apiKeys: array(struct({ apiKey: int16(), minVersion: int16(), maxVersion: int16() })),
    throttleTimeMs: int32({ since: 1 }),
    supportedFeatures: list({ name: string(), minVersion: int16(), maxVersion: int16() }, { since: 3, tag: 0 }),
    finalizedFeaturesEpoch: int64({ since: 3, tag: 1, default: -1 }),
    finalizedFeatures: list(
      { name: string(), maxVersionLevel: int16(), minVersionLevel: int16() },
      { since: 3, tag: 2 },
    ),
  },
  handle({ clientSoftwareName, clientSoftwareVersion }, { version, broker }) {
    const isNamed = [clientSoftwareName, clientSoftwareVersion].every((name) => SOFTWARE_NAME.test(name))
    return answer(version >= 3 && !isNamed ? INVALID_REQUEST : 0, broker.advertised)
  },
  // to a version that is not served, the versions that are
  refuse: (_request, errorCode, _message, { broker }) => answer(errorCode, broker.advertised),
})

const INVALID_REQUEST = 42
const SOFTWARE_NAME = /^[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?$/

function answer(errorCode: number, apiKeys: { apiKey: number; minVersion: number; maxVersion: number }[]) {
  const features = { supportedFeatures: [], finalizedFeaturesEpoch: -1, finalizedFeatures: [] }
  return { errorCode, apiKeys, throttleTimeMs: 0, ...features }
}
