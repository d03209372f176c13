/**
 * The compressors behind `compression.ts`: each library brought to one shape, with the checks that it lacks itself.
 */
import * as zlib from 'node:zlib'
import type * as NodeZstd from '@toondepauw/node-zstd'
import type * as Lz4 from 'lz4-napi'
import type * as SnappyJs from 'snappyjs'
import { checkLz4Frame } from './lz4-frame.ts'
import { loadOptional } from './optional-package.ts'
import { checkSnappyBlock, readSnappyStream, writeSnappyStream, type SnappyBlockFunction } from './snappy-stream.ts'
import { findZstdFrames, MAX_BLOCK_BYTES } from './zstd-frame.ts'

/** One compressor. */
export interface Compressor {
  compress(bytes: Buffer): Buffer
  /** Throws an error of any kind on damaged data, and in most cases on more than `maxBytes` of output. */
  decompress(bytes: Buffer, maxBytes: number): Buffer
}

/** Why there is no compressor here. */
export interface MissingCompressor {
  /** What the user can do, as in "npm install ...". */
  remedy: string
  error: unknown
}

export const none: Compressor = { compress: (bytes) => bytes, decompress: (bytes) => bytes }

export const gzip: Compressor = {
  compress: (bytes) => zlib.gzipSync(bytes),
  decompress: (bytes, maxBytes) => zlib.gunzipSync(bytes, { maxOutputLength: maxBytes }),
}

export function loadSnappy(): Compressor | MissingCompressor {
  const native = loadOptional<NativeSnappy>('snappy').exports
  if (native !== undefined) {
    return snappyOf(
      (block) => native.compressSync(block, COPY_OUT),
      (block) => native.uncompressSync(block, COPY_OUT),
    )
  }
  const { exports: script, error } = loadOptional<typeof SnappyJs>('snappyjs')
  if (script === undefined) return { remedy: 'npm install snappyjs', error }
  return snappyOf(
    (block) => script.compress(block),
    (block) => {
      checkSnappyBlock(block)
      return script.uncompress(block)
    },
  )
}

/** Native memory costs more to hand over and to track than a block of 32 KiB costs to copy. */
const COPY_OUT = { copyOutputData: true }

interface NativeSnappy {
  compressSync(block: Buffer, options: typeof COPY_OUT): Buffer
  uncompressSync(block: Buffer, options: typeof COPY_OUT): Buffer
}

function snappyOf(compressBlock: SnappyBlockFunction, uncompressBlock: SnappyBlockFunction): Compressor {
  return {
    compress: (bytes) => writeSnappyStream(bytes, compressBlock),
    decompress: (bytes, maxBytes) => readSnappyStream(bytes, maxBytes, uncompressBlock),
  }
}

export function loadLz4(): Compressor | MissingCompressor {
  const { exports: lz4, error } = loadOptional<typeof Lz4>('lz4-napi')
  if (lz4 === undefined) return { remedy: 'npm install lz4-napi', error }
  return {
    compress: (bytes) => lz4.compressFrameSync(bytes),
    decompress(bytes, maxBytes) {
      checkLz4Frame(bytes, maxBytes)
      return lz4.decompressFrameSync(bytes)
    },
  }
}

/** What node:zlib has from Node 22.15 on. */
interface ZlibWithZstd {
  zstdCompressSync?: (bytes: Buffer, options: { pledgedSrcSize: number }) => Buffer
  zstdDecompressSync?: (bytes: Buffer, options: { maxOutputLength: number }) => Buffer
}

/** Kafka's default. */
const ZSTD_LEVEL = 3

export function loadZstd(): Compressor | MissingCompressor {
  const { zstdCompressSync, zstdDecompressSync } = zlib as ZlibWithZstd
  if (zstdCompressSync !== undefined && zstdDecompressSync !== undefined) {
    return {
      // with its size known, a small batch does not ask its readers for a window of 2 MiB
      compress: (bytes) => zstdCompressSync(bytes, { pledgedSrcSize: bytes.length }),
      decompress: (bytes, maxBytes) =>
        decompressZstd(bytes, maxBytes, Infinity, (frame, maxOutputLength) =>
          zstdDecompressSync(frame, { maxOutputLength }),
        ),
    }
  }
  const { exports: addon, error } = loadOptional<typeof NodeZstd>('@toondepauw/node-zstd')
  if (addon === undefined) return { remedy: 'npm install @toondepauw/node-zstd, or run Node 22.15 or later', error }
  const encoder = new addon.Encoder(ZSTD_LEVEL)
  const decoder = new addon.Decoder()
  return {
    compress: (bytes) => encoder.encodeSync(bytes),
    decompress: (bytes, maxBytes) =>
      decompressZstd(bytes, maxBytes, UNCAPPED_SLACK, (frame) => decoder.decodeSync(frame)),
  }
}

/**
 * The decoder without a cap is given no frame that could come to more than this many times what is allowed. Only an upper
 * bound is known beforehand, in whole blocks of 128 KiB; encoders split blocks, but to less than a quarter on average
 * hardly ever.
 */
const UNCAPPED_SLACK = 4

function decompressZstd(
  bytes: Buffer,
  maxBytes: number,
  slack: number,
  decompressFrame: (frame: Buffer, maxBytes: number) => Buffer,
): Buffer {
  const parts: Buffer[] = []
  let output = 0
  for (const { start, end, maxOutput } of findZstdFrames(bytes)) {
    const allowed = maxBytes - output
    if (maxOutput > MAX_BLOCK_BYTES + allowed * slack) throw new Error(`up to ${maxOutput} bytes in a Zstandard frame`)
    const part = decompressFrame(bytes.subarray(start, end), Math.max(1, allowed))
    output += part.length
    if (output > maxBytes) throw new Error(`more than ${maxBytes} bytes in Zstandard frames`)
    parts.push(part)
  }
  return parts.length === 1 ? parts[0] : Buffer.concat(parts, output)
}
