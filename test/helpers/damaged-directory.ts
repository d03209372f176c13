/** A log's directory taken to pieces and damaged at random, and which of its batches are whole and in place afterwards. */
import { batchSizeAt, findBatchFault, readBatchHeader } from '../../src/codec/record-batch.ts'
import type { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { DIRECTORY, namesIn, putFile } from './logs.ts'
import type { SeededRandom } from './seeded-random.ts'

interface Piece {
  bytes: Buffer
  /** One of the log's batches, as it was and where it was among the others. */
  isBatch: boolean
}

interface DamagedFile {
  path: string
  pieces: Piece[]
}

export type DamageKind =
  'flip' | 'cut' | 'delete' | 'insert' | 'overwrite' | 'duplicate' | 'swap' | 'place' | 'hole' | 'repeat'
const KINDS: DamageKind[] = [
  ...(['flip', 'flip', 'cut', 'delete', 'insert', 'overwrite'] as const),
  ...(['duplicate', 'swap', 'place', 'place', 'hole', 'repeat'] as const),
]

/** The batches of a partition: base offset and bytes, as hex. */
export type Batches = Map<number, string>

export class DamagedDirectory {
  readonly what: string[] = []
  private readonly files: DamagedFile[] = []
  /** Copies of batches that stand elsewhere, by partition: where the batch itself is gone, one may be taken for it. */
  private readonly strays = new Map<string, Set<string>>()

  static async read(disk: MemoryStorage): Promise<DamagedDirectory> {
    const damaged = new DamagedDirectory()
    for (const directory of await namesIn(disk, DIRECTORY)) {
      const names = await namesIn(disk, `${DIRECTORY}/${directory}`).catch((): string[] => [])
      for (const name of names.filter((one) => one.endsWith('.log'))) {
        const path = `${DIRECTORY}/${directory}/${name}`
        damaged.files.push({ path, pieces: batchesIn(await disk.readFile(path)) })
      }
    }
    return damaged
  }

  /** Damages something of the partitions whose directory `mayDamage`. */
  damage(random: SeededRandom, mayDamage: (directory: string) => boolean): void {
    const files = this.files.filter(({ path, pieces }) => pieces.length > 0 && mayDamage(directoryOf(path)))
    if (files.length === 0) return
    const file = random.pick(files)
    const kind = random.pick(KINDS)
    this.what.push(`${kind} ${file.path}`)
    const index = random.below(file.pieces.length)
    const piece = file.pieces[index]
    const garbage = (bytes: number) => Buffer.from(Array.from({ length: bytes }, () => random.below(256)))
    if (kind === 'flip') {
      const bit = random.below(piece.bytes.length * 8)
      piece.bytes = Buffer.from(piece.bytes)
      piece.bytes[bit >> 3] ^= 1 << (bit & 7)
      piece.isBatch = false
      this.what.push(`bit ${bit} of piece ${index}`)
    } else if (kind === 'cut') {
      file.pieces.length = index
      const kept = random.below(piece.bytes.length)
      if (kept > 0) file.pieces.push({ bytes: piece.bytes.subarray(0, kept), isBatch: false })
    } else if (kind === 'delete') {
      this.files.splice(this.files.indexOf(file), 1)
    } else if (kind === 'insert') {
      file.pieces.splice(index, 0, { bytes: garbage(random.between(1, 200)), isBatch: false })
    } else if (kind === 'overwrite') {
      piece.bytes = random.chance(0.5) ? Buffer.alloc(piece.bytes.length) : garbage(piece.bytes.length)
      piece.isBatch = false
    } else if (kind === 'place') {
      this.misplace(random, directoryOf(file.path), piece)
    } else if (kind === 'hole') {
      // its neighbor may take the place of one that is gone
      const before = file.pieces[index - 1]
      if (before !== undefined) Object.assign(before, { bytes: Buffer.alloc(before.bytes.length), isBatch: false })
      this.misplace(random, directoryOf(file.path), piece)
    } else if (kind === 'repeat') {
      const end = random.between(index + 1, file.pieces.length)
      const copies = file.pieces.slice(index, end).filter(({ isBatch }) => isBatch)
      for (const one of copies) this.stray(directoryOf(file.path), one)
      file.pieces.splice(end, 0, ...copies.map(({ bytes }) => ({ bytes, isBatch: false })))
    } else if (kind === 'duplicate') {
      // what is of another partition, and fits in, nothing tells from the partition's own
      const other = random.pick(files.filter(({ path }) => directoryOf(path) === directoryOf(file.path)))
      const whole = other.pieces.filter(({ isBatch }) => isBatch)
      if (whole.length === 0) return
      const copied = random.pick(whole)
      this.stray(directoryOf(file.path), copied)
      file.pieces.splice(index, 0, { bytes: copied.bytes, isBatch: false })
    } else {
      const last = file.pieces.length - 1
      if (index === last) return
      const next = file.pieces[index + 1]
      // which of two that have changed places is in its place cannot be told
      for (const one of [piece, next]) this.stray(directoryOf(file.path), one)
      file.pieces.splice(index, 2, { ...next, isBatch: false }, { ...piece, isBatch: false })
    }
  }

  async write(disk: MemoryStorage): Promise<void> {
    const wanted = new Map(
      this.files.map(({ path, pieces }) => [path, Buffer.concat(pieces.map(({ bytes }) => bytes))]),
    )
    for (const directory of await namesIn(disk, DIRECTORY)) {
      for (const name of await namesIn(disk, `${DIRECTORY}/${directory}`).catch((): string[] => [])) {
        const path = `${DIRECTORY}/${directory}/${name}`
        if (name.endsWith('.log') && !wanted.has(path)) await disk.removeFile(path)
      }
    }
    for (const [path, bytes] of wanted) await putFile(disk, path, bytes)
  }

  /**
   * The batches that must be saved of a partition, and others that may be. Where several are damaged, and one of those only
   * in its place, it cannot always be told from its neighbors which of them is wrong.
   */
  expected(directory: string): { batches: Batches; strays: Set<string> } {
    const batches: Batches = new Map()
    const strays = new Set(this.strays.get(directory))
    for (const { path, pieces } of this.files) {
      if (directoryOf(path) !== directory) continue
      const isDoubtful = pieces.filter(({ isBatch }) => !isBatch).length > 1
      const isMisplaced = (piece: Piece | undefined) =>
        isDoubtful && piece?.isBatch === false && findBatchFault(piece.bytes, 0, piece.bytes.length) === null
      for (const [i, piece] of pieces.entries()) {
        const mayBe = isMisplaced(piece) || isMisplaced(pieces[i - 1]) || isMisplaced(pieces[i + 1])
        if (!piece.isBatch && !mayBe) continue
        if (findBatchFault(piece.bytes, 0, piece.bytes.length) !== null) continue
        const bytes = piece.bytes.toString('hex')
        if (mayBe) strays.add(bytes)
        else batches.set(readBatchHeader(piece.bytes, 0).baseOffset, bytes)
      }
    }
    return { batches, strays }
  }

  /** Changes what is not under the checksum: the lower bits of its offset, or its epoch. */
  private misplace(random: SeededRandom, directory: string, piece: Piece): void {
    // another change may undo it
    this.stray(directory, piece)
    const byte = random.chance(0.7) ? 7 : random.between(12, 15)
    piece.bytes = Buffer.from(piece.bytes)
    piece.bytes[byte] ^= 1 << random.below(byte === 7 ? 4 : 8)
    piece.isBatch = false
  }

  private stray(directory: string, { bytes, isBatch }: Piece): void {
    if (!isBatch) return
    const strays = this.strays.get(directory) ?? new Set<string>()
    strays.add(bytes.toString('hex'))
    this.strays.set(directory, strays)
  }
}

/** All batches of the segments of a sound partition. */
export async function batchesOfDirectory(disk: MemoryStorage, directory: string): Promise<Batches> {
  const found: Batches = new Map()
  for (const name of (await namesIn(disk, directory)).filter((one) => one.endsWith('.log'))) {
    for (const { bytes } of batchesIn(await disk.readFile(`${directory}/${name}`)))
      found.set(readBatchHeader(bytes, 0).baseOffset, bytes.toString('hex'))
  }
  return found
}

function batchesIn(content: Buffer): Piece[] {
  const pieces: Piece[] = []
  for (let at = 0; at < content.length; at += batchSizeAt(content, at))
    pieces.push({ bytes: content.subarray(at, at + batchSizeAt(content, at)), isBatch: true })
  return pieces
}

function directoryOf(path: string): string {
  return path.split('/').at(-2)!
}
