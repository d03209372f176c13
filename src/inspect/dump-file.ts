import { boolean, checkOptions, withMethods } from '../options.ts'
import { CHECKPOINT_FILES, parseCheckpoint, type Checkpoint } from '../storage/checkpoint.ts'
import { dumpLog, type DumpedBatch, type DumpedDamage } from './dump-log.ts'
import { countBeforeZeros } from '../storage/index-entries.ts'
import { nodeStorage } from '../storage/node-storage.ts'
import { OFFSET_ENTRY_BYTES, OffsetIndex } from '../storage/offset-index.ts'
import type { Storage } from '../storage/storage.ts'
import { TIME_ENTRY_BYTES, TimeIndex } from '../storage/time-index.ts'

/** Options of {@link dumpFile}. */
export interface DumpOptions {
  /** Default: the file system. */
  storage?: Storage
  /** Decodes the records of each batch too. Default false. */
  records?: boolean
}

/** One entry of an `.index` file: the batch that ends with `offset` starts at `logPosition`. */
export interface DumpedIndexEntry {
  kind: 'index'
  /** Byte position in this file. */
  position: number
  offset: number
  /** Byte position in the `.log` file. */
  logPosition: number
}

/** One entry of a `.timeindex` file: the greatest timestamp so far is that of the batch that ends with `offset`. */
export interface DumpedTimeIndexEntry {
  kind: 'timeindex'
  position: number
  /** ms since the epoch */
  timestamp: number
  offset: number
}

/** The content of `checkpoint-a` or `checkpoint-b`. */
export interface DumpedCheckpoint {
  kind: 'checkpoint'
  position: 0
  format: number
  /** The valid file with the greater sequence counts. */
  sequence: number
  checkpoint: Checkpoint
}

/** What a file holds, in file order. */
export type DumpEntry = DumpedBatch | DumpedIndexEntry | DumpedTimeIndexEntry | DumpedCheckpoint | DumpedDamage

/**
 * Reads a `.log`, `.index`, `.timeindex`, `checkpoint-a` or `checkpoint-b` file, Varve's or Kafka's, entry by entry.
 *
 * Damage is an entry as well, and what can be read after it follows. Zeros at the end, which Kafka leaves in a file that
 * was not closed in order, are left out. The bytes of records are copies.
 *
 * @throws TypeError for a path that names none of these; the system's error when the file cannot be read
 * @throws VarveError UNSUPPORTED_FORMAT for a checkpoint of a newer version of Varve
 */
export async function* dumpFile(path: string, options: DumpOptions = {}): AsyncGenerator<DumpEntry, void, undefined> {
  checkOptions('dumpFile', options, { storage: withMethods('openFile', 'readFile'), records: boolean })
  const { storage = nodeStorage(), records = false } = options
  const name = path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1)
  const [, digits, suffix] = /^(\d{20})\.(log|index|timeindex)$/.exec(name) ?? []
  if (suffix === 'log') yield* dumpLog(storage, path, records)
  else if (suffix === 'index') yield* dumpIndex(await storage.readFile(path), Number(digits))
  else if (suffix === 'timeindex') yield* dumpTimeIndex(await storage.readFile(path), Number(digits))
  else if ((CHECKPOINT_FILES as readonly string[]).includes(name))
    yield dumpCheckpoint(await storage.readFile(path), path)
  else {
    const known = "a segment's .log, .index or .timeindex, named by 20 digits, or checkpoint-a or checkpoint-b"
    throw new TypeError(`dumpFile: '${path}' is none of the files that can be listed: ${known}`)
  }
}

function* dumpIndex(content: Buffer, baseOffset: number): Generator<DumpEntry> {
  const index = new OffsetIndex(baseOffset, content)
  const count = countBeforeZeros(content, OFFSET_ENTRY_BYTES)
  for (let i = 0; i < count; i++) {
    const { offset, position: logPosition } = index.entry(i)
    const position = i * OFFSET_ENTRY_BYTES
    yield { kind: 'index', position, offset, logPosition }
    const last = i === 0 ? { offset: baseOffset - 1, position: -1 } : index.entry(i - 1)
    if (offset <= last.offset || logPosition <= last.position) yield notIncreasing(position, OFFSET_ENTRY_BYTES)
  }
  yield* dumpRest(content, OFFSET_ENTRY_BYTES)
}

function* dumpTimeIndex(content: Buffer, baseOffset: number): Generator<DumpEntry> {
  const index = new TimeIndex(baseOffset, content)
  const count = countBeforeZeros(content, TIME_ENTRY_BYTES)
  for (let i = 0; i < count; i++) {
    const { timestamp, offset } = index.entry(i)
    const position = i * TIME_ENTRY_BYTES
    yield { kind: 'timeindex', position, timestamp, offset }
    const last = i === 0 ? { timestamp: -Infinity, offset: baseOffset - 1 } : index.entry(i - 1)
    if (timestamp <= last.timestamp || offset <= last.offset) yield notIncreasing(position, TIME_ENTRY_BYTES)
  }
  yield* dumpRest(content, TIME_ENTRY_BYTES)
}

function notIncreasing(position: number, entryBytes: number): DumpedDamage {
  return { kind: 'damage', position, nextPosition: position + entryBytes, reason: 'not increasing' }
}

function* dumpRest(content: Buffer, entryBytes: number): Generator<DumpedDamage> {
  const position = content.length - (content.length % entryBytes)
  if (position === content.length) return
  yield { kind: 'damage', position, nextPosition: content.length, reason: 'not a whole entry' }
}

function dumpCheckpoint(content: Buffer, path: string): DumpEntry {
  const found = parseCheckpoint(content, path)
  if (found !== null) return { kind: 'checkpoint', position: 0, ...found }
  return { kind: 'damage', position: 0, nextPosition: content.length, reason: 'checksum or format' }
}
