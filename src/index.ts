export type { TopicDescription } from './client/topic-description.ts'
export type { BackupOptions, BackupProgress, BackupResult } from './client/backup.ts'
export { Varve } from './client/varve.ts'
export { Consumer, type Committable, type CommitPosition, type ConsumerHealth } from './client/consumer.ts'
export type { CloseOptions, ConsumerOptions, PartitionsListener, RunOptions } from './client/consumer-options.ts'
export type { GroupDescription, GroupListing, GroupMember, PartitionLag } from './client/group-admin.ts'
export type { OffsetReset, ResetOptions, ResetTarget } from './client/offset-reset.ts'
export type { HandlerContext, RecordHandler } from './client/record-runner.ts'
export type { ReadOptions, ReadPosition } from './client/read-options.ts'
export type { CompressionType } from './codec/compression.ts'
export type { ConsumerRecord } from './codec/record.ts'
export type { RecordBatch } from './codec/stored-batch.ts'
export type { ValueCodec } from './codec/value-codec.ts'
export type { AppendResult } from './engine/append-chunk.ts'
export type { CopiedPartition } from './engine/backup.ts'
export type { CompactionResult } from './engine/cleaner.ts'
export type { Flush, FlushWindow } from './engine/flush.ts'
export type { UnknownDirectory } from './engine/layout.ts'
export type { AssignorName } from './group/assignors/assignors.ts'
export type { TopicPartition } from './group/assignors/assignor.ts'
export type { GroupState } from './group/group.ts'
export type { GroupOptions, RecoveryReport, VarveOptions } from './engine/open-options.ts'
export type { PartitionOffsets } from './engine/partition.ts'
export type { HeaderValue, ProducerRecord } from './engine/record-encoding.ts'
export type { AdoptTopicOptions, CreateTopicOptions } from './engine/topic-admin.ts'
export type { CleanupPolicy, PartitionerFunction, PartitionerName, TopicConfig } from './engine/topic-config.ts'
export type { AppendOptions, TopicFunctions } from './engine/topic.ts'
export {
  verifyDirectory,
  type VerifyOptions,
  type VerifyProgress,
  type VerifyReport,
} from './inspect/verify-directory.ts'
export {
  repairDirectory,
  type RepairOptions,
  type RepairReport,
  type RepairedPartition,
} from './inspect/repair-directory.ts'
export type { LostRange } from './inspect/repair-partition.ts'
export type { VerifiedPartition } from './inspect/verify-partition.ts'
export type { Clock, Random } from './environment.ts'
export { VarveError, type ErrorCode, type ErrorDetails } from './errors.ts'
export { MemoryStorage } from './storage/memory-storage.ts'
export { nodeStorage } from './storage/node-storage.ts'
export type { Damage, PartitionRecovery } from './storage/recovery.ts'
export type { Storage, StorageFile } from './storage/storage.ts'
export type { VerifyWarning } from './inspect/verify-plan.ts'
