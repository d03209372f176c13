import { crc32c } from '../codec/checksum.ts'
import { storageError, VarveError } from '../errors.ts'
import { openOrCreate, readFully, unlessMissing, writeFully, type Storage, type StorageFile } from './storage.ts'

/** From which offset on a leader epoch holds. */
export interface EpochStart {
  epoch: number
  startOffset: number
  /** The end of the batch before it; offsets from here to `startOffset` were skipped. Absent where that is not known. */
  skippedFrom?: number
}

/** An exchange of segments: one takes the place of all those of the offsets from `baseOffset` to before `endOffset`. */
export interface SegmentSwap {
  /** Of the new segment, and of the first old one. */
  baseOffset: number
  endOffset: number
}

/** What is known durably of one partition beside its log. */
export interface PartitionCheckpoint {
  /** First offset that may be read. */
  logStartOffset: number
  /** Everything before it was synced; the next recovery starts here. */
  durableOffset: number
  /** Base offset of the segment that `durableOffset` falls into, and the byte position there. */
  durableSegment: number
  durablePosition: number
  /** Offsets below it may have been handed out: after an unclean stop the log goes on from here. */
  reservedOffset: number
  /** Raised by every unclean recovery. */
  leaderEpoch: number
  /** Each epoch that holds a batch, ascending; and the latest one, whether it holds one or will begin with the next. */
  epochs: EpochStart[]
  /** All segments, ascending; the size of the last one is that at the time of writing. */
  segments: [baseOffset: number, sizeBytes: number][]
  /** Whether batches may be missing from the middle by right (compacted by Kafka), so that a gap is no damage. */
  sparse: boolean
  /** Compaction has been over everything before it. Absent: over nothing. */
  cleanedOffset?: number
  /** How often compaction has exchanged segments: a reader beside the writer tells by it whether names are still right. */
  exchanges?: number
  /** The last exchange, while it may not be complete. */
  swap?: SegmentSwap
}

export interface Checkpoint {
  /** The log was closed in order: what is recorded here is all there is, and no log needs to be scanned. */
  clean: boolean
  /** By `<topic id>/<partition>`. */
  partitions: { [key: string]: PartitionCheckpoint }
  /** Ids of idempotent producers below it may have been given out. Absent: none were. */
  producerIds?: number
  /** What Kafka's clients tell the cluster by. Absent: none has asked. */
  clusterId?: string
}

/** What was found at open. `damaged`: files that were there and could not be used. */
export interface LoadedCheckpoint {
  checkpoint: Checkpoint | null
  /** Of the checkpoint; 0 for none. */
  sequence: number
  damaged: string[]
}

const FORMAT_VERSION = 1
/** The two files; the one at index `sequence % 2` is written next. */
export const CHECKPOINT_FILES = ['checkpoint-a', 'checkpoint-b'] as const
const BLOCK_BYTES = 4096
const NO_CRC = '00000000'
/** At least the first line of a file, with sequence and CRC. */
const HEAD_BYTES = 64

/**
 * The durable watermarks of a directory, in two files that are written in turn, in place.
 *
 * File: a line `varve-checkpoint <format> <sequence> <crc>` and then JSON, padded with spaces to whole blocks of 4 KiB.
 * The CRC-32C (8 hex digits) covers the whole file, its own digits taken as zeros. The valid file with the greater
 * sequence counts, so a write that is cut short leaves the other one; and a rewrite of the same size needs no new
 * metadata on disk. The sequence of `checkpoint-a` is even, that of `checkpoint-b` odd, and they follow one another.
 */
export class CheckpointFiles {
  private readonly files: (StorageFile | null)[] = [null, null]
  private readonly sizes = [0, 0]
  private sequence = 0
  /** What `reload` has found last, and the first lines of both files before that. */
  private last: { heads: string; loaded: LoadedCheckpoint } | null = null

  constructor(
    private readonly storage: Storage,
    private readonly directory: string,
  ) {}

  /**
   * Reads both files.
   *
   * @throws VarveError UNSUPPORTED_FORMAT when a newer version of Varve wrote them
   */
  async load(): Promise<LoadedCheckpoint> {
    const found: ({ sequence: number; checkpoint: Checkpoint } | null)[] = []
    const damaged = new Set<string>()
    const pathOf = (index: number) => `${this.directory}/${CHECKPOINT_FILES[index]}`
    for (const index of CHECKPOINT_FILES.keys()) {
      const path = pathOf(index)
      const content = await unlessMissing<Buffer | null>(this.storage.readFile(path), () => null)
      this.sizes[index] = content?.length ?? 0
      found.push(content === null ? null : parseCheckpoint(content, path))
      const isInPlace = found[index] !== null && found[index].sequence % 2 === index
      if (content !== null && !isInPlace) damaged.add(path)
    }
    const index = (found[1]?.sequence ?? 0) > (found[0]?.sequence ?? 0) ? 1 : 0
    const newest = found[index]
    // where the one before it is not the other one, what is missing may be the one after it
    const before = found[1 - index]?.sequence ?? 0
    if (newest !== null && before !== newest.sequence - 1) damaged.add(pathOf(1 - index))
    this.sequence = newest?.sequence ?? 0
    // the newest may stand under the other one's name: it is not what is written over next
    if (newest !== null && index !== newest.sequence % 2) this.sequence++
    const next = this.sequence + 1
    // each file's first write creates it: a stop in between leaves it empty, and that is no damage
    const created = next <= CHECKPOINT_FILES.length && this.sizes[next % 2] === 0 ? CHECKPOINT_FILES[next % 2] : null
    return {
      checkpoint: newest?.checkpoint ?? null,
      sequence: this.sequence,
      damaged: [...damaged].filter((path) => path !== `${this.directory}/${created}`),
    }
  }

  /**
   * What another process has written by now. The files are read whole only where their first lines have changed.
   *
   * @throws VarveError KAFKA_STORAGE_ERROR and the like when they cannot be read, and what `load` throws
   */
  async reload(): Promise<LoadedCheckpoint> {
    const { directory } = this
    return this.loadChanged().catch((error: unknown) => {
      throw storageError(error, `read the checkpoint of '${directory}'`, { path: directory })
    })
  }

  private async loadChanged(): Promise<LoadedCheckpoint> {
    const heads = `${await this.headOf(CHECKPOINT_FILES[0])}${await this.headOf(CHECKPOINT_FILES[1])}`
    if (this.last?.heads === heads) return this.last.loaded
    const loaded = await this.load()
    // one that seems damaged may be one that is being written
    this.last = loaded.damaged.length === 0 ? { heads, loaded } : null
    return loaded
  }

  private async headOf(name: string): Promise<string> {
    const opened = this.storage.openFile(`${this.directory}/${name}`, 'read')
    const file = await unlessMissing<StorageFile | null>(opened, () => null)
    if (file === null) return ''
    try {
      const head = Buffer.alloc(HEAD_BYTES)
      return head.toString('latin1', 0, await readFully(file, head, 0))
    } finally {
      await file.close()
    }
  }

  /** Replaces the older file; when it resolves the checkpoint survives a power cut. Calls must not overlap. */
  async store(checkpoint: Checkpoint): Promise<void> {
    const sequence = this.sequence + 1
    const slot = sequence % 2
    const file = (this.files[slot] ??= await openOrCreate(this.storage, `${this.directory}/${CHECKPOINT_FILES[slot]}`))
    // one that is there and empty may not have its name durably either
    if (this.sizes[slot] === 0) await this.storage.syncDirectory(this.directory)
    const body = Buffer.from(JSON.stringify(checkpoint))
    const line = (crc: string) => `varve-checkpoint ${FORMAT_VERSION} ${sequence} ${crc}\n`
    const start = line(NO_CRC).length
    const size = Math.max(this.sizes[slot], Math.ceil((start + body.length) / BLOCK_BYTES) * BLOCK_BYTES)
    const bytes = Buffer.alloc(size, ' ')
    bytes.write(line(NO_CRC))
    body.copy(bytes, start)
    bytes.write(line(crc32c(bytes, 0, size).toString(16).padStart(8, '0')))
    writeFully(file, bytes, 0)
    this.sizes[slot] = size
    await file.sync()
    this.sequence = sequence
  }

  async close(): Promise<void> {
    const files = this.files.splice(0, this.files.length, null, null)
    const results = await Promise.allSettled(files.map(async (file) => file?.close()))
    for (const result of results) if (result.status === 'rejected') throw result.reason
  }
}

/**
 * The checkpoint in one file's content, or null when it is damaged.
 *
 * @throws VarveError UNSUPPORTED_FORMAT when a newer version of Varve wrote it
 */
export function parseCheckpoint(
  content: Buffer,
  path: string,
): { format: number; sequence: number; checkpoint: Checkpoint } | null {
  const lineEnd = content.indexOf('\n')
  const fields = /^varve-checkpoint (\d{1,9}) (\d{1,15}) ([0-9a-f]{8})$/.exec(
    content.toString('latin1', 0, Math.max(lineEnd, 0)),
  )
  if (fields === null) return null
  const checked = Buffer.from(content)
  checked.write(NO_CRC, lineEnd - NO_CRC.length)
  if (crc32c(checked, 0, checked.length) !== parseInt(fields[3], 16)) return null
  const format = Number(fields[1])
  if (format !== FORMAT_VERSION) {
    const message =
      `'${path}' has format ${format}; this version of Varve reads format ${FORMAT_VERSION}: ` +
      'use the version that wrote it, or a newer one'
    throw new VarveError('UNSUPPORTED_FORMAT', message, { details: { path } })
  }
  const checkpoint = JSON.parse(content.toString('utf8', lineEnd + 1)) as Checkpoint
  return { format, sequence: Number(fields[2]), checkpoint }
}
