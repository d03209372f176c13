import {
  abortSignal,
  boolean,
  checkOptions,
  definedOf,
  groupId,
  integer,
  nonEmptyString,
  oneOf,
  show,
  storedText,
  type Check,
} from '../options.ts'
import { assignorNames, type AssignorName } from '../group/assignors/assignors.ts'
import type { TopicPartition } from '../group/assignors/assignor.ts'

/** Called with partitions that come or go; what it returns is awaited. */
export type PartitionsListener = (partitions: TopicPartition[]) => void | Promise<void>

/** Options of `log.consumer`. */
export interface ConsumerOptions {
  /** The group that it joins: its members share the partitions, and it keeps its place. 1 to 32,767 bytes of UTF-8. */
  groupId: string
  /** The topics to consume: at least one, and all of them there. */
  topics: readonly string[]
  /**
   * Where to begin in a partition of which the group has committed nothing, or whose committed offset is gone:
   * `'earliest'` (the default), `'latest'`, or `'error'` to fail with OFFSET_OUT_OF_RANGE.
   */
  autoOffsetReset?: 'earliest' | 'latest' | 'error'
  /**
   * For `for await`: commits by itself what has been processed, that is, every record after which the next one was asked
   * for; never one that the loop is still at. Default false: commit with `commit`. (`run` always commits.)
   */
  autoCommit?: boolean
  /**
   * How long after one automatic commit the next one begins, at the least: what a crash makes the group process again is
   * what was processed meanwhile. Milliseconds, at least 0. Default 10.
   */
  commitIntervalMs?: number
  /** How partitions may be divided, in order of preference. Default `['cooperative-sticky']`. */
  assignors?: readonly AssignorName[]
  /**
   * Kafka's static membership: `close` keeps this member's place, and a consumer of the same instanceId takes it over,
   * without a rebalance, if it comes within the session timeout. Of two at a time the later one stays. At most
   * 1,024 bytes. Default: none.
   */
  instanceId?: string
  /** Shown in `describeGroup`. At most 1,024 bytes. Default `'varve'`. */
  clientId?: string
  /** A member that is not heard of for so long is taken for dead. Milliseconds. Default 45,000. */
  sessionTimeoutMs?: number
  /** Milliseconds, at least 1, less than the session timeout. Default 3,000, or a third of that where it is less. */
  heartbeatIntervalMs?: number
  /**
   * How long one record, and the giving up of partitions in a rebalance, may take: after that the others take over.
   * Milliseconds, at least 1. Default 5 minutes (Kafka's max.poll.interval.ms).
   */
  maxPollIntervalMs?: number
  /** `health()` calls the consumer stalled when one record has taken so long. Milliseconds, at least 1. Default 30,000. */
  stalledAfterMs?: number
  /** What may be read ahead, over all partitions. Bytes, at least 1. Default 32 MiB. */
  maxPrefetchBytes?: number
  /** Called when partitions have become this consumer's, before their first record. */
  onAssigned?: PartitionsListener
  /** Called when partitions are about to be given up, in order, after their last record: the place to commit. */
  onRevoked?: PartitionsListener
  /** Called when partitions were taken away, because this member was not heard of or too slow: others may have them already. */
  onLost?: PartitionsListener
  /** Closes the consumer; what is waiting ends with the signal's reason. */
  signal?: AbortSignal
}

/** The options with their defaults. */
export type ConsumerSettings = Required<Omit<ConsumerOptions, 'instanceId' | 'signal' | `on${string}`>> &
  Pick<ConsumerOptions, 'instanceId' | 'signal' | 'onAssigned' | 'onRevoked' | 'onLost'>

/** Every rebalance stores it, for each member. */
const MAX_ID_BYTES = 1_024

/** No timer waits for longer. */
const MAX_TIMER_MS = 2 ** 31 - 1

const listener: Check = (value) => (typeof value === 'function' ? null : 'must be a function (partitions) => ...')

/** Some distinct strings, at least one, each of a kind. */
function listOf(what: string, check: Check): Check {
  return (value, where) => {
    if (!Array.isArray(value) || value.length === 0) return `must be an array of ${what}, at least one`
    if (new Set(value).size < value.length) return `must be an array of ${what} that differ`
    const odd = value.find((item) => check(item, where) !== null)
    return odd === undefined ? null : `must be an array of ${what}: ${show(odd)} is none`
  }
}

const checks: { [K in keyof ConsumerOptions]-?: Check } = {
  groupId,
  topics: listOf('topic names', nonEmptyString),
  autoOffsetReset: oneOf(['earliest', 'latest', 'error']),
  autoCommit: boolean,
  commitIntervalMs: integer(0, MAX_TIMER_MS),
  assignors: listOf(`assignors (${assignorNames.join(', ')})`, oneOf(assignorNames)),
  instanceId: storedText(MAX_ID_BYTES),
  clientId: storedText(MAX_ID_BYTES),
  sessionTimeoutMs: integer(1),
  heartbeatIntervalMs: integer(1),
  maxPollIntervalMs: integer(1, MAX_TIMER_MS),
  stalledAfterMs: integer(1),
  maxPrefetchBytes: integer(1),
  onAssigned: listener,
  onRevoked: listener,
  onLost: listener,
  signal: abortSignal,
}

/** @throws TypeError or RangeError naming the option */
export function consumerSettings(options: ConsumerOptions): ConsumerSettings {
  checkOptions('consumer', options, checks, ['groupId', 'topics'])
  const given = definedOf(options)
  const sessionTimeoutMs = given.sessionTimeoutMs ?? 45_000
  const settings: ConsumerSettings = {
    autoOffsetReset: 'earliest',
    autoCommit: false,
    commitIntervalMs: 10,
    assignors: ['cooperative-sticky'],
    clientId: 'varve',
    sessionTimeoutMs,
    heartbeatIntervalMs: Math.max(1, Math.min(3_000, Math.floor(sessionTimeoutMs / 3))),
    maxPollIntervalMs: 300_000,
    stalledAfterMs: 30_000,
    maxPrefetchBytes: 32 * 1024 * 1024,
    ...given,
  }
  if (settings.heartbeatIntervalMs < sessionTimeoutMs) return settings
  throw new RangeError(
    `consumer: option 'heartbeatIntervalMs' must be less than 'sessionTimeoutMs' (${sessionTimeoutMs}), ` +
      `not ${settings.heartbeatIntervalMs}`,
  )
}

/** Options of `consumer.run`. */
export interface RunOptions {
  /** How many partitions are processed at the same time, each in order. At least 1. Default 1. */
  concurrency?: number
  /** Ends the run as `close` does, but leaves the consumer open. */
  signal?: AbortSignal
}

const runChecks: { [K in keyof RunOptions]-?: Check } = { concurrency: integer(1), signal: abortSignal }

/** @throws TypeError or RangeError naming the option */
export function checkRunOptions(options: RunOptions): void {
  checkOptions('run', options, runChecks)
}

/** Options of `consumer.close`. */
export interface CloseOptions {
  /**
   * How long handlers that are at a record may go on before they are told to stop, and after that `onRevoked`, which has a
   * second at the least. Milliseconds. Default 30,000.
   */
  graceMs?: number
}

/** @throws TypeError or RangeError naming the option */
export function checkCloseOptions(options: CloseOptions): void {
  checkOptions('close', options, { graceMs: integer(0, MAX_TIMER_MS) })
}
