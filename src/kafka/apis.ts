import type { Api } from './api.ts'
import { apiVersions } from './apis/api-versions.ts'

/** Every API that is served. */
export const apis: readonly Api[] = [apiVersions]
