import type { Api } from './api.ts'
import { apiVersions } from './apis/api-versions.ts'
import { createPartitions } from './apis/create-partitions.ts'
import { createTopics } from './apis/create-topics.ts'
import { deleteTopics } from './apis/delete-topics.ts'
import { alterConfigs } from './apis/alter-configs.ts'
import { deleteRecords } from './apis/delete-records.ts'
import { describeConfigs } from './apis/describe-configs.ts'
import { incrementalAlterConfigs } from './apis/incremental-alter-configs.ts'
import { describeCluster } from './apis/describe-cluster.ts'
import { describeLogDirs } from './apis/describe-log-dirs.ts'
import { describeProducers } from './apis/describe-producers.ts'
import { describeTopicPartitions } from './apis/describe-topic-partitions.ts'
import { offsetForLeaderEpoch } from './apis/offset-for-leader-epoch.ts'
import { fetch } from './apis/fetch.ts'
import { listOffsets } from './apis/list-offsets.ts'
import { metadata } from './apis/metadata.ts'

/** Every API that is served. */
export const apis: readonly Api[] = [
  apiVersions,
  metadata,
  fetch,
  listOffsets,
  createTopics,
  deleteTopics,
  createPartitions,
  alterConfigs,
  deleteRecords,
  describeConfigs,
  incrementalAlterConfigs,
  describeCluster,
  describeLogDirs,
  describeProducers,
  describeTopicPartitions,
  offsetForLeaderEpoch,
]
