import type { Clock, Random } from '../environment.ts'
import { boolean, checkOptions, integer, path, withMethods, type Check } from '../options.ts'
import type { Damage, PartitionRecovery } from '../storage/recovery.ts'
import type { Storage } from '../storage/storage.ts'
import { flushCheck, type Flush } from './flush.ts'
import type { UnknownDirectory } from './layout.ts'
import type { TopicFunctions } from './topic.ts'

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

function checkFunctions(topics: unknown): string | null {
  if (typeof topics !== 'object' || topics === null || Symbol.iterator in topics)
    return 'must be an object by topic name'
  for (const [name, functions] of Object.entries(topics)) {
    if (functions !== undefined) checkOptions(`Varve.open: topics['${name}']`, functions, functionChecks)
  }
  return null
}
