import { VarveError } from '../errors.ts'
import {
  gzip,
  loadLz4,
  loadSnappy,
  loadZstd,
  none,
  type Compressor,
  type MissingCompressor,
} from './compression-libraries.ts'

/** Kafka's compression types; each one's index is its id in a batch's attributes. */
export const compressionTypes = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const

/** How the records of a batch are compressed: Kafka's `compression.type`. */
export type CompressionType = (typeof compressionTypes)[number]

/** Kafka's ids, 0 to 4, by name. */
export const compressionIds: Readonly<Record<CompressionType, number>> = {
  none: 0,
  gzip: 1,
  snappy: 2,
  lz4: 3,
  zstd: 4,
}

/**
 * Names the compression type of an id.
 *
 * @param id bits 0 to 2 of a batch's attributes: 0 to 7
 * @throws VarveError UNSUPPORTED_COMPRESSION_TYPE for an id that Kafka has not given out
 */
export function compressionTypeOf(id: number): CompressionType {
  const type: CompressionType | undefined = compressionTypes[id]
  if (type !== undefined) return type
  throw new VarveError(
    'UNSUPPORTED_COMPRESSION_TYPE',
    `unknown compression id ${id}: read this batch with what wrote it`,
  )
}

/**
 * Compresses the records of a batch in the form that Kafka's clients read: a gzip member, a xerial snappy stream, an LZ4
 * frame of independent blocks or a Zstandard frame.
 *
 * @returns for `'none'` a view on `bytes`, else memory of its own
 * @throws VarveError UNSUPPORTED_COMPRESSION_TYPE naming the package to install
 */
export function compress(type: CompressionType, bytes: Uint8Array): Buffer {
  return compressorOf(type).compress(asBuffer(bytes))
}

/**
 * Decompresses the records of a batch, whichever of Kafka's clients wrote them.
 *
 * A few bytes cannot make this use more memory than `maxBytes`: no size that the data declares is believed before it has
 * been held against that. (Zstandard before Node 22.15 may use up to 4 times as much, and refuses data whose blocks are on
 * average less than a quarter full where it cannot tell.)
 *
 * @param maxBytes most that may come out: 1 to 2^31 - 1 bytes
 * @returns for `'none'` a view on `bytes`, else memory of its own
 * @throws VarveError CORRUPT_MESSAGE with the cause, when the data is damaged or holds more than `maxBytes`
 * @throws VarveError UNSUPPORTED_COMPRESSION_TYPE naming the package to install
 * @throws RangeError when `maxBytes` is out of its range
 */
export function decompress(type: CompressionType, bytes: Uint8Array, maxBytes: number): Buffer {
  if (!Number.isInteger(maxBytes) || maxBytes < 1 || maxBytes >= 2 ** 31) {
    throw new RangeError(`maxBytes must be an integer from 1 to ${2 ** 31 - 1}, not ${maxBytes}`)
  }
  const compressor = compressorOf(type)
  try {
    const output = compressor.decompress(asBuffer(bytes), maxBytes)
    if (output.length > maxBytes) throw new Error(`${output.length} bytes came out, at most ${maxBytes} are allowed`)
    return output
  } catch (cause) {
    const reason = (cause as Error).message
    const advice = 'restore the batch from a copy or read on after it'
    throw new VarveError(
      'CORRUPT_MESSAGE',
      `cannot decompress ${bytes.length} bytes of ${type}: ${reason}; ${advice}`,
      { cause },
    )
  }
}

/** Tells whether a type can be used with this Node and the packages that are installed. */
export function isCompressionAvailable(type: CompressionType): boolean {
  return 'compress' in load(type)
}

/**
 * Makes sure that a type can be used, so that a topic is not configured for what its appends cannot do.
 *
 * @throws VarveError UNSUPPORTED_COMPRESSION_TYPE naming the package to install
 */
export function assertCompressionAvailable(type: CompressionType): void {
  compressorOf(type)
}

const loaders: Record<CompressionType, () => Compressor | MissingCompressor> = {
  none: () => none,
  gzip: () => gzip,
  snappy: loadSnappy,
  lz4: loadLz4,
  zstd: loadZstd,
}
const loaded = new Map<CompressionType, Compressor | MissingCompressor>()

/** Loads a compressor when it is first asked for; the outcome holds for the life of the process. */
function load(type: CompressionType): Compressor | MissingCompressor {
  let compressor = loaded.get(type)
  if (compressor === undefined) {
    compressor = loaders[type]()
    loaded.set(type, compressor)
  }
  return compressor
}

function compressorOf(type: CompressionType): Compressor {
  const compressor = load(type)
  if ('compress' in compressor) return compressor
  const { remedy, error } = compressor
  throw new VarveError('UNSUPPORTED_COMPRESSION_TYPE', `${type} compression is not available here: ${remedy}`, {
    cause: error,
  })
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
