import type { EpochStart } from '../storage/checkpoint.ts'

const ABORTED_TRANSACTION_BYTES = 34

/**
 * Kafka's own bookkeeping beside the segments, as far as a verification needs it. Varve neither writes nor uses these
 * files; it leaves them where it finds them.
 *
 * Source: Kafka's CheckpointFile, LeaderEpochCheckpointFile, ProducerStateManager and TransactionIndex.
 */

/** Files of a log directory that Kafka is known to write and that hold nothing to check. */
export const KAFKA_ROOT_FILES: ReadonlySet<string> = new Set([
  'meta.properties',
  'bootstrap.checkpoint',
  '.kafka_cleanshutdown',
])

/** Offset checkpoints of a log directory, one line `<topic> <partition> <offset>` per partition. */
export const KAFKA_OFFSET_FILES = {
  recoveryPoint: 'recovery-point-offset-checkpoint',
  logStart: 'log-start-offset-checkpoint',
  highWatermark: 'replication-offset-checkpoint',
  cleaner: 'cleaner-offset-checkpoint',
} as const

/** In each partition: which leader epoch began where. */
export const LEADER_EPOCH_FILE = 'leader-epoch-checkpoint'

/** Offsets by `<topic>-<partition>`, or null when the content is not that of an offset checkpoint. */
export function parseOffsetCheckpoint(content: Buffer): Map<string, number> | null {
  const lines = parseLines(content, /^(\S+) (\d+) (\d+)$/)
  if (lines === null) return null
  return new Map(lines.map(([topic, partition, offset]) => [`${topic}-${Number(partition)}`, Number(offset)]))
}

/** The entries of a `leader-epoch-checkpoint`, both fields increasing, or null when it holds anything else. */
export function parseLeaderEpochs(content: Buffer): EpochStart[] | null {
  const lines = parseLines(content, /^(\d+) (\d+)$/)
  if (lines === null) return null
  const epochs = lines.map(([epoch, startOffset]) => ({ epoch: Number(epoch), startOffset: Number(startOffset) }))
  const increase = epochs.every(({ epoch, startOffset }, i) => {
    return i === 0 || (epoch > epochs[i - 1].epoch && startOffset >= epochs[i - 1].startOffset)
  })
  return increase ? epochs : null
}

/** Lines after a version, 0, and a count, which must be right. */
function parseLines(content: Buffer, pattern: RegExp): string[][] | null {
  const [version, count, ...lines] = content.toString('utf8').replace(/\n$/, '').split('\n')
  if (version !== '0' || Number(count) !== lines.length) return null
  const fields = lines.map((line) => pattern.exec(line)?.slice(1) ?? [])
  return fields.every((found) => found.length > 0) ? fields : null
}

/** What is wrong with an index of aborted transactions (`.txnindex`), or null: entries of 34 bytes, int16 version 0 first. */
export function findTransactionIndexFault(content: Buffer): string | null {
  if (content.length % ABORTED_TRANSACTION_BYTES !== 0) return 'ends within an entry'
  for (let at = 0; at < content.length; at += ABORTED_TRANSACTION_BYTES) {
    if (content.readInt16BE(at) !== 0) return `unknown version at byte ${at}`
  }
  return null
}
