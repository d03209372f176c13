import type { Clock, Random } from '../environment.ts'
import { boolean, checkOptions, integer, path, withMethods, type Check } from '../options.ts'
import type { Damage, PartitionRecovery } from '../storage/recovery.ts'
import type { Storage } from '../storage/storage.ts'
import { flushCheck, type Flush } from './flush.ts'
import type { UnknownDirectory } from './layout.ts'
import type { TopicFunctions } from './topic.ts'

/** The limits of consumer groups. */
export interface GroupOptions {
  /**
   * How long the first rebalance of a group without members waits for more of them. Milliseconds, at least 0. Default 0;
   * Kafka's is 3,000.
   */
  initialRebalanceDelayMs?: number
  /** The least `sessionTimeoutMs` of a member. Milliseconds, at least 1. Default 6,000. */
  minSessionTimeoutMs?: number
  /** The greatest `sessionTimeoutMs` of a member. Milliseconds. Default 30 minutes. */
  maxSessionTimeoutMs?: number
  /** Members of one group. At least 1. Default 1,000. */
  maxSize?: number
  /** The most text that may go with a committed offset. Bytes of UTF-8. Default 4,096. */
  maxMetadataBytes?: number
  /**
   * How long committed offsets are kept of a group that has no members. Milliseconds; -1, the default, keeps them for ever:
   * Kafka's 7 days would make a program that rests for longer begin anew.
   */
  offsetsRetentionMs?: number
}

/** Options of `Varve.open`. */
export interface VarveOptions {
  /** Where everything is kept; created when it is not there. */
  directory: string
  /** When appends are acknowledged and synced, for topics that do not say so themselves. Default `'group'`. */
  flush?: Flush
  /** Opens beside a live writer: takes no lock and writes nothing. Default false. */
  readOnly?: boolean
  /** Appends wait while more than this is handed in and not written. Bytes, at least 1. Default 64 MiB. */
  maxPendingBytes?: number
  /** How often retention looks for what may go. Milliseconds, at least 1. Default 5 minutes. */
  retentionCheckMs?: number
  /** The limits of consumer groups. */
  groups?: GroupOptions
  /** How often compaction looks for a partition that is worth it. Milliseconds, at least 1. Default 15 seconds. */
  compactionCheckMs?: number
  /** Memory that compaction may use for the keys of one partition. Bytes, at least 65,536. Default 32 MiB. */
  compactionBufferBytes?: number
  /** By topic: the value codecs and partitioners that are code of this program, and so are not stored. */
  topics?: { [topic: string]: TopicFunctions }
  /** Default: the file system. */
  storage?: Storage
  /** Default: the machine's clock. */
  clock?: Clock
  /** Default: the machine's randomness. */
  random?: Random
}

/** What opening a log found and did. */
export interface RecoveryReport {
  /** The log was closed in order before, or is new. */
  clean: boolean
  /** How long opening took. */
  ms: number
  /** Bytes of log read and checked because nothing vouched for them. */
  scannedBytes: number
  /** Bytes cut off as torn tails, which were never acknowledged as durable. */
  cutBytes: number
  /** The partitions where anything was done or found. */
  partitions: ({ topic: string; partition: number } & PartitionRecovery)[]
  /** Damage found, and left as it is. */
  damage: Damage[]
  /** Directories that look like partitions and belong to no topic: nothing in them was touched; see `adoptTopic`. */
  unknownDirectories: UnknownDirectory[]
}

/** The checks of `Varve.open`. */
export const openChecks: Record<string, Check> = {
  directory: path,
  flush: flushCheck,
  readOnly: boolean,
  maxPendingBytes: integer(1),
  retentionCheckMs: integer(1, 2 ** 31 - 1),
  groups: checkGroups,
  compactionCheckMs: integer(1, 2 ** 31 - 1),
  compactionBufferBytes: integer(65_536, 2 ** 31 - 1),
  topics: checkFunctions,
  storage: withMethods('openFile', 'readFile', 'list', 'lockDirectory'),
  clock: withMethods('now', 'monotonicMs', 'setTimer', 'defer', 'hold'),
  random: withMethods('next', 'bytes'),
}

const functionChecks: { [K in keyof TopicFunctions]-?: Check } = {
  valueCodec: withMethods('encode', 'decode'),
  partitioner: (value) => (typeof value === 'function' ? null : 'must be a function (key, partitions) => partition'),
}

const groupChecks: { [K in keyof GroupOptions]-?: Check } = {
  initialRebalanceDelayMs: integer(0),
  minSessionTimeoutMs: integer(1),
  maxSessionTimeoutMs: integer(1),
  maxSize: integer(1),
  maxMetadataBytes: integer(0),
  offsetsRetentionMs: integer(-1),
}

function checkGroups(groups: unknown): string | null {
  checkOptions('Varve.open: groups', groups, groupChecks)
  return null
}

function checkFunctions(topics: unknown): string | null {
  if (typeof topics !== 'object' || topics === null || Symbol.iterator in topics)
    return 'must be an object by topic name'
  for (const [name, functions] of Object.entries(topics)) {
    if (functions !== undefined) checkOptions(`Varve.open: topics['${name}']`, functions, functionChecks)
  }
  return null
}
