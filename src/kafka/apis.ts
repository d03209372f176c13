import type { Api } from './api.ts'
import { apiVersions } from './apis/api-versions.ts'
import { fetch } from './apis/fetch.ts'
import { initProducerId } from './apis/init-producer-id.ts'
import { listOffsets } from './apis/list-offsets.ts'
import { metadata } from './apis/metadata.ts'
import { produce } from './apis/produce.ts'

/** Every API that is served. */
export const apis: readonly Api[] = [apiVersions, fetch, initProducerId, listOffsets, metadata, produce]
