import { VarveError } from '../errors.ts'
import { abortSignal, boolean, checkOptions, integer, notInRange, oneOf, show } from '../options.ts'
import type { Topic } from '../engine/topic.ts'

/** A place in a partition: the first record, the end, an offset, or the first record at or after a time (ms). */
export type ReadPosition = 'earliest' | 'latest' | number | { timestamp: number }

/** Options of `read` and `readBatches`. */
export interface ReadOptions {
  /**
   * Where to start. An offset is about one partition; a map by partition reads the partitions it names, each from its
   * own place. Default `'earliest'`.
   */
  from?: ReadPosition | { [partition: number]: ReadPosition }
  /** Read this partition only. Default: all. */
  partition?: number
  /** Go on with what is appended later, for ever. Default false: end where the log ended when reading began. */
  follow?: boolean
  /**
   * How several partitions are put together, each of them always in offset order: `'partition'` as it is fastest,
   * `'time'` by timestamp. Default `'partition'`.
   */
  order?: 'partition' | 'time'
  /** What to do where the wanted offset is gone or not there yet. Default `'error'`: OFFSET_OUT_OF_RANGE. */
  onOutOfRange?: 'error' | 'earliest' | 'latest'
  /** Ends the reading: the iteration throws the signal's reason. */
  signal?: AbortSignal
}

const checks = {
  from: () => null,
  partition: integer(0),
  follow: boolean,
  order: oneOf(['partition', 'time']),
  onOutOfRange: oneOf(['error', 'earliest', 'latest']),
  signal: abortSignal,
}

/** Checks the options and says which partitions to read, each from where. */
export function startingPlaces(call: string, topic: Topic, options: ReadOptions): Map<number, ReadPosition> {
  checkOptions(call, options, checks)
  const { from = 'earliest', partition } = options
  const places = new Map<number, ReadPosition>()
  if (isMap(from)) {
    if (partition !== undefined)
      throw new TypeError(`${call}: give either a 'partition' or a map of partitions as 'from'`)
    for (const [key, place] of Object.entries(from))
      places.set(topic.partition(checkMapKey(call, key)).partition, checkPlace(call, place))
    if (places.size === 0) throw new TypeError(`${call}: the map in 'from' names no partition`)
    return places
  }
  const place = checkPlace(call, from)
  if (partition !== undefined) return places.set(topic.partition(partition).partition, place)
  if (typeof place === 'number' && topic.partitions.length > 1) {
    const advice = `give a 'partition', or a map { 0: offset, 1: offset }`
    throw new TypeError(
      `${call}: an offset is about one partition, and topic '${topic.name}' has ${topic.partitions.length}: ${advice}`,
    )
  }
  for (const { partition: number } of topic.partitions) places.set(number, place)
  return places
}

/** Whether it is a map by partition, as against one place, or something else altogether. */
function isMap(from: unknown): from is { [partition: number]: ReadPosition } {
  if (typeof from !== 'object' || from === null || Symbol.iterator in from || from instanceof Date) return false
  return !('timestamp' in from)
}

function checkMapKey(call: string, key: string): number {
  if (/^\d+$/.test(key)) return Number(key)
  throw new TypeError(
    `${call}: 'from' has a key '${key}': it takes { timestamp: ms }, or a map with partitions as keys`,
  )
}

/** @throws TypeError or RangeError naming the option */
export function checkPlace(call: string, place: ReadPosition, option = 'from'): ReadPosition {
  if (place === 'earliest' || place === 'latest') return place
  if (typeof place === 'number' && Number.isSafeInteger(place) && place >= 0) return place
  const isTime = typeof place === 'object' && place !== null && 'timestamp' in place
  if (isTime) return checkTime(call, place, option)
  const kinds = "'earliest', 'latest', an offset of at least 0, { timestamp: ms } or a map of these by partition"
  const advice = (place as unknown) instanceof Date ? ': say { timestamp: date.getTime() }' : ''
  throw notInRange(place, `${call}: '${option}' must be ${kinds}, not ${show(place)}${advice}`)
}

function checkTime(call: string, place: { timestamp: number }, option: string): ReadPosition {
  const { timestamp, ...others } = place
  const [stray] = Object.keys(others)
  if (stray !== undefined) throw new TypeError(`${call}: '${option}' has a key '${stray}' beside 'timestamp'`)
  if (typeof timestamp === 'number' && Number.isFinite(timestamp)) return place
  const must = `'timestamp' in '${option}' must be a number of milliseconds since the epoch`
  throw notInRange(timestamp, `${call}: ${must}, not ${show(timestamp)}`)
}

/** Whether an error says that an offset is out of range. */
export function isOutOfRange(error: unknown): boolean {
  return error instanceof VarveError && error.code === 'OFFSET_OUT_OF_RANGE'
}
