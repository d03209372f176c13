export { Varve, type TopicDescription } from './client/varve.ts'
export type { ReadOptions, ReadPosition } from './client/read-options.ts'
export type { CompressionType } from './codec/compression.ts'
export type { ConsumerRecord } from './codec/record.ts'
export type { RecordBatch } from './codec/stored-batch.ts'
export type { ValueCodec } from './codec/value-codec.ts'
export type { AppendResult } from './engine/append-chunk.ts'
export type { Flush, FlushWindow } from './engine/flush.ts'
export type { UnknownDirectory } from './engine/layout.ts'
export type { RecoveryReport, VarveOptions } from './engine/open-options.ts'
export type { PartitionOffsets } from './engine/partition.ts'
export type { HeaderValue, ProducerRecord } from './engine/record-encoding.ts'
export type { AdoptTopicOptions, CreateTopicOptions } from './engine/topic-admin.ts'
export type { PartitionerFunction, PartitionerName, TopicConfig } from './engine/topic-config.ts'
export type { AppendOptions, TopicFunctions } from './engine/topic.ts'
export {
  verifyDirectory,
  type VerifyOptions,
  type VerifyProgress,
  type VerifyReport,
} from './inspect/verify-directory.ts'
export type { VerifiedPartition } from './inspect/verify-partition.ts'
export type { Clock, Random } from './environment.ts'
export { VarveError, type ErrorCode, type ErrorDetails } from './errors.ts'
export { MemoryStorage } from './storage/memory-storage.ts'
export { nodeStorage } from './storage/node-storage.ts'
export type { Damage, PartitionRecovery } from './storage/recovery.ts'
export type { Storage, StorageFile } from './storage/storage.ts'
export type { VerifyWarning } from './inspect/verify-plan.ts'
