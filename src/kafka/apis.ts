import type { Api } from './api.ts'
import { apiVersions } from './apis/api-versions.ts'
import { deleteGroups } from './apis/delete-groups.ts'
import { describeGroups } from './apis/describe-groups.ts'
import { fetch } from './apis/fetch.ts'
import { findCoordinator } from './apis/find-coordinator.ts'
import { heartbeat } from './apis/heartbeat.ts'
import { joinGroup } from './apis/join-group.ts'
import { leaveGroup } from './apis/leave-group.ts'
import { listGroups } from './apis/list-groups.ts'
import { listOffsets } from './apis/list-offsets.ts'
import { metadata } from './apis/metadata.ts'
import { offsetCommit } from './apis/offset-commit.ts'
import { offsetDelete } from './apis/offset-delete.ts'
import { offsetFetch } from './apis/offset-fetch.ts'
import { syncGroup } from './apis/sync-group.ts'

/** Every API that is served. */
export const apis: readonly Api[] = [
  apiVersions,
  metadata,
  fetch,
  listOffsets,
  findCoordinator,
  joinGroup,
  syncGroup,
  heartbeat,
  leaveGroup,
  offsetCommit,
  offsetFetch,
  offsetDelete,
  listGroups,
  describeGroups,
  deleteGroups,
]
