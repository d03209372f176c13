import { readFileSync } from 'node:fs'
import { BatchEncoder } from '../src/codec/batch-encoder.ts'
import { BufferPool } from '../src/codec/buffer-pool.ts'
import { crc32c } from '../src/codec/checksum.ts'
import { crc32, murmur2, murmur3 } from '../src/codec/key-hash.ts'
import { findBatchFault, readBatchHeader, stampBatch } from '../src/codec/record-batch.ts'
import { decodeRecords } from '../src/codec/record.ts'
import { resolveValueCodec, valueCodecNames } from '../src/codec/value-codec.ts'
import { OffsetIndex } from '../src/storage/offset-index.ts'
import { formatSize } from './figures.ts'
import { places } from './floors/read.ts'
import { BATCH_RECORDS, payloads } from './payloads.ts'

/** One small thing to be timed. */
export interface MicroTask {
  name: string
  run: () => void
  /** How often `run` does it: a clock cannot see a single one. */
  repeats: number
  /** What is done so often: `record`, `call`. */
  unit: string
  /** Bytes of one. */
  bytes?: number
}

const BATCH_BYTES = 1024 * 1024
const REPEATS = 1000
const INDEX_ENTRIES = 100_000
const INDEX_INTERVAL = 40

/** What is kept of each result, so that the compiler cannot leave the work out. */
let kept: unknown

/** All of them: encode and decode, checksums, key hashes, the index, value codecs. */
export function microTasks(): MicroTask[] {
  return [...batchTasks(), ...checksumTasks(), ...hashTasks(), indexTask(), ...codecTasks()]
}

function batchTasks(): MicroTask[] {
  return [100, 1024].flatMap((bytes) => {
    const values = payloads(bytes)
    const now = Date.now()
    const buffers = new BufferPool(BATCH_BYTES * 4)
    const options = {
      batchBytes: BATCH_BYTES * 2,
      compressionType: 'none',
      timestampType: 'CreateTime',
      now: () => now,
    } as const
    let last: BatchEncoder | null = null
    const encode = () => {
      last?.release()
      const encoder = new BatchEncoder(options, buffers, BATCH_BYTES)
      last = encoder
      for (let i = 0; i < BATCH_RECORDS; i++) encoder.append(null, values[i], [], now)
      return encoder.finish()
    }
    const batch = Buffer.from(encode().bytes)
    stampBatch(batch, 0, 0, 0)
    const context = { topic: 't', partition: 0, valueCodec: resolveValueCodec('bytes') }
    const size = formatSize(bytes)
    const task = { repeats: BATCH_RECORDS, unit: 'record', bytes }
    return [
      { ...task, name: `encode a batch of 1,000 x ${size}`, run: () => void (kept = encode()) },
      {
        ...task,
        name: `check a batch of 1,000 x ${size}`,
        run: () => void (kept = findBatchFault(batch, 0, batch.length)),
      },
      {
        ...task,
        name: `decode a batch of 1,000 x ${size}`,
        run: () => void (kept = decodeRecords(context, batch, 0, readBatchHeader(batch, 0), 0, BATCH_BYTES * 2)),
      },
    ]
  })
}

function checksumTasks(): MicroTask[] {
  return [64, 256, 512, 1024, 4096, 16 * 1024, 128 * 1024].map((bytes) => {
    const [buffer] = payloads(bytes)
    const repeats = Math.max(Math.floor(BATCH_BYTES / bytes), 10)
    return {
      name: `CRC-32C of ${formatSize(bytes)}`,
      run: repeat(repeats, () => crc32c(buffer, 0, bytes)),
      repeats,
      unit: 'call',
      bytes,
    }
  })
}

function hashTasks(): MicroTask[] {
  const keys = Array.from({ length: REPEATS }, (_, i) => Buffer.from(`customer-${i * 7919}`))
  return Object.entries({ murmur2, murmur3, crc32 }).map(([name, hash]) => ({
    name: `${name} of a key`,
    run: repeat(REPEATS, (i) => hash(keys[i])),
    repeats: REPEATS,
    unit: 'call',
  }))
}

function indexTask(): MicroTask {
  const index = new OffsetIndex(0)
  for (let i = 1; i <= INDEX_ENTRIES; i++) index.append(i * INDEX_INTERVAL, i * 4096)
  const next = places(INDEX_ENTRIES * INDEX_INTERVAL)
  return {
    name: 'look an offset up among 100,000 entries',
    run: repeat(REPEATS, () => index.lookup(next())),
    repeats: REPEATS,
    unit: 'call',
  }
}

function codecTasks(): MicroTask[] {
  const [line] = readFileSync(new URL('../data/earthquakes.ndjson', import.meta.url), 'utf8').split('\n', 1)
  const event: unknown = JSON.parse(line)
  const values: Record<string, unknown> = { msgpack: event, json: event, string: line, bytes: Buffer.from(line) }
  return valueCodecNames.flatMap((name) => {
    const codec = resolveValueCodec(name)
    const encoded = Buffer.from(codec.encode(values[name]))
    const task = { repeats: REPEATS, unit: 'event', bytes: encoded.length }
    return [
      { ...task, name: `${name}: encode an earthquake`, run: repeat(REPEATS, () => codec.encode(values[name])) },
      { ...task, name: `${name}: decode an earthquake`, run: repeat(REPEATS, () => codec.decode(encoded)) },
    ]
  })
}

function repeat(times: number, action: (i: number) => unknown): () => void {
  return () => {
    for (let i = 0; i < times; i++) kept = action(i)
  }
}

/** The last result of any task. */
export function lastResult(): unknown {
  return kept
}
