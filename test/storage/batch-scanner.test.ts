import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compress } from '../../src/codec/compression.ts'
import { BATCH_HEADER_BYTES, type BatchFault } from '../../src/codec/record-batch.ts'
import {
  findBatchAfterDamage,
  findNextBatch,
  MAX_BATCH_BYTES,
  scanBatches,
  startsWithOldMessage,
} from '../../src/storage/batch-scanner.ts'
import type { StorageFile } from '../../src/storage/storage.ts'
import { rawBatch, rawRecord } from '../helpers/raw-batch.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'

/** What is read at a time. */
const CHUNK = 1024 * 1024

/** A file in memory that hands out at most `most` bytes at a time. */
class BytesFile implements StorageFile {
  readonly path = '/log'
  reads = 0

  constructor(
    readonly bytes: Buffer,
    private readonly most: () => number = () => Infinity,
  ) {}

  size(): Promise<number> {
    return Promise.resolve(this.bytes.length)
  }

  read(target: Uint8Array, position: number): Promise<number> {
    if (++this.reads > 10_000) throw new Error('it reads on and on')
    const part = this.bytes.subarray(position, position + Math.max(1, Math.min(target.length, this.most())))
    target.set(part)
    return Promise.resolve(part.length)
  }

  write(): number {
    throw new Error('a scan writes nothing')
  }
  sync = () => Promise.reject(new Error('a scan writes nothing'))
  truncate = () => Promise.reject(new Error('a scan writes nothing'))
  close = () => Promise.resolve()
}

interface Placed {
  position: number
  baseOffset: number
  lastOffset: number
}

/** Batches of the given body sizes one behind the other, two offsets each, and where they stand. */
function batchesOf(bodySizes: readonly number[], random = new SeededRandom(1)) {
  const placed: Placed[] = []
  const parts: Buffer[] = []
  let position = 0
  for (const [i, size] of bodySizes.entries()) {
    const body = size < 5000 ? random.bytes(size) : Buffer.alloc(size, i + 1)
    parts.push(rawBatch(body, { baseOffset: 100 + 2 * i, recordCount: 2, leaderEpoch: 3 }))
    placed.push({ position, baseOffset: 100 + 2 * i, lastOffset: 101 + 2 * i })
    position += parts[i].length
  }
  return { bytes: Buffer.concat(parts), placed, parts }
}

async function scan(file: BytesFile, start = 0, end = file.bytes.length, check: 'checksum' | 'header' = 'checksum') {
  const seen: Placed[] = []
  const result = await scanBatches(file, start, end, check, ({ header, position, bytes, at }) => {
    const { baseOffset, lastOffset, sizeBytes } = header
    expect(bytes.subarray(at, at + sizeBytes).equals(file.bytes.subarray(position, position + sizeBytes))).toBe(true)
    seen.push({ position, baseOffset, lastOffset })
  })
  return { seen, ...result }
}

const sizes = fc.array(fc.integer({ min: 0, max: 300 }), { minLength: 1, maxLength: 20 })
const CHECKS = ['checksum', 'header'] as const

describe.each(CHECKS)('a scan (%s)', (check) => {
  test('visits every batch in order, whole, however little is read at a time', async () => {
    await fc.assert(
      fc.asyncProperty(sizes, fc.integer({ min: 1, max: 200 }), async (bodySizes, most) => {
        const { bytes, placed } = batchesOf(bodySizes)
        const result = await scan(new BytesFile(bytes, () => most), 0, bytes.length, check)
        expect(result).toEqual({ seen: placed, position: bytes.length, fault: null })
      }),
    )
  })

  test('visits the batches between two places, and nothing of an empty range', async () => {
    const { bytes, placed } = batchesOf([10, 20, 30, 40])
    const result = await scan(new BytesFile(bytes), placed[1].position, placed[3].position, check)
    expect(result).toEqual({ seen: placed.slice(1, 3), position: placed[3].position, fault: null })
    expect(await scan(new BytesFile(bytes), 7, 7, check)).toEqual({ seen: [], position: 7, fault: null })
  })

  test.each([
    ['larger than a chunk', [100, 3 * CHUNK, 50, CHUNK + 1, 2 * CHUNK, 7]],
    ['exactly a chunk', [CHUNK - BATCH_HEADER_BYTES, CHUNK - BATCH_HEADER_BYTES, 9]],
    ['one byte more than a chunk', [5, CHUNK - BATCH_HEADER_BYTES + 1, 9]],
    ['split by the end of a chunk at every place', Array.from({ length: 90 }, (_, i) => CHUNK / 8 + i)],
  ])('visits batches that are %s', async (_, bodySizes) => {
    const { bytes, placed } = batchesOf(bodySizes)
    const file = new BytesFile(bytes)
    expect(await scan(file, 0, bytes.length, check)).toEqual({ seen: placed, position: bytes.length, fault: null })
    // at worst each chunk is read twice
    expect(file.reads).toBeLessThan(3 * Math.ceil(bytes.length / CHUNK) + bodySizes.length / 4 + 3)
  })

  test('ends where the file or the range ends within a batch, before that batch', async () => {
    const { bytes, placed } = batchesOf([40, 50, 60])
    for (let end = placed[1].position + 1; end < bytes.length; end++) {
      const whole = end < placed[2].position ? 1 : 2
      const expected = { seen: placed.slice(0, whole), position: placed[whole].position, fault: 'incomplete' }
      if (end === placed[whole].position) continue
      expect(await scan(new BytesFile(bytes.subarray(0, end)), 0, end, check)).toEqual(expected)
      expect(await scan(new BytesFile(bytes), 0, end, check)).toEqual(expected)
    }
  })

  test('ends where the file ends, though it was thought to be longer', async () => {
    const { bytes, placed } = batchesOf([40, 50])
    for (let size = placed[1].position; size < bytes.length; size++) {
      const file = new BytesFile(bytes.subarray(0, size))
      const expected = { seen: placed.slice(0, 1), position: placed[1].position, fault: 'incomplete' }
      expect(await scan(file, 0, bytes.length + 5, check)).toEqual(expected)
    }
  })

  test('ends within a batch that is larger than a chunk and cut off', async () => {
    const { bytes, placed } = batchesOf([40, 3 * CHUNK])
    const cut = bytes.subarray(0, 2 * CHUNK)
    const expected = { seen: placed.slice(0, 1), position: placed[1].position, fault: 'incomplete' }
    expect(await scan(new BytesFile(cut), 0, cut.length, check)).toEqual(expected)
  })

  test('ends where the visitor refuses a batch, with its reason', async () => {
    const { bytes, placed } = batchesOf([40, 50, 60])
    const visited: number[] = []
    const end = await scanBatches(new BytesFile(bytes), 0, bytes.length, check, ({ position }) => {
      visited.push(position)
      return position === placed[1].position ? 'offset' : null
    })
    expect(end).toEqual({ position: placed[1].position, fault: 'offset' })
    expect(visited).toEqual([placed[0].position, placed[1].position])
  })

  test('takes no length for real that no batch has, and reserves no memory for it', async () => {
    const { bytes, placed } = batchesOf([40, 50])
    bytes.writeInt32BE(MAX_BATCH_BYTES - 11, placed[1].position + 8)
    const end = 2 * MAX_BATCH_BYTES
    expect(await scan(new BytesFile(bytes), 0, end, check)).toMatchObject({
      position: placed[1].position,
      fault: 'length',
    })
  })
})

describe('damage', () => {
  const faults: [string, BatchFault, boolean, (bytes: Buffer, position: number) => unknown][] = [
    ['in a record', 'checksum', false, (bytes, position) => (bytes[position + BATCH_HEADER_BYTES + 3] ^= 1)],
    ['in the checksum', 'checksum', false, (bytes, position) => (bytes[position + 18] ^= 1)],
    ['in the magic', 'magic', true, (bytes, position) => (bytes[position + 16] = 9)],
    ['in the length', 'length', true, (bytes, position) => bytes.writeInt32BE(3, position + 8)],
    ['in the offset', 'offset', true, (bytes, position) => bytes.writeInt32BE(-1, position)],
    ['of zeros', 'length', true, (bytes, position) => bytes.fill(0, position, position + BATCH_HEADER_BYTES)],
  ]

  test.each(faults)('%s ends a scan at exactly that batch: %s', async (_, fault, isInHeader, damage) => {
    const { bytes: intact, placed } = batchesOf(Array.from({ length: 12 }, (_, i) => 10 + i))
    for (const [i, { position }] of placed.entries()) {
      const bytes = Buffer.from(intact)
      damage(bytes, position)
      const expected = { seen: placed.slice(0, i), position, fault }
      expect(await scan(new BytesFile(bytes))).toEqual(expected)
      const byHeader = await scan(new BytesFile(bytes), 0, bytes.length, 'header')
      expect(byHeader).toEqual(isInHeader ? expected : { seen: placed, position: bytes.length, fault: null })
    }
  })

  test('in any bit ends a scan at that batch, or leaves what is read where it was', async () => {
    const random = new SeededRandom()
    const { bytes, placed } = batchesOf([33, 0, 71, 12, 5])
    for (let i = 0; i < 4000; i++) {
      const at = random.below(bytes.length)
      const hit = placed.findLastIndex(({ position }) => position <= at)
      const inBatch = at - placed[hit].position
      // base offset and epoch are not under the checksum: the caller holds them against what surrounds the batch
      if (inBatch < 8 || (inBatch >= 12 && inBatch < 16)) continue
      bytes[at] ^= 1 << random.below(8)
      const { seen, position, fault } = await scan(new BytesFile(bytes))
      const found = { seed: random.seed, at, seen, position, isWhole: fault === null }
      const { position: damaged } = placed[hit]
      expect(found).toEqual({ ...found, seen: placed.slice(0, hit), position: damaged, isWhole: false })
      bytes.set(batchesOf([33, 0, 71, 12, 5]).bytes)
    }
  })

  test('behind the last batch, be it zeros or anything, ends a scan where that batch ends', async () => {
    const random = new SeededRandom()
    const { bytes, placed } = batchesOf([33, 0, 71])
    for (let i = 0; i < 300; i++) {
      const length = random.between(1, 400)
      const tail = random.chance(0.3) ? Buffer.alloc(length) : Buffer.from(random.bytes(length))
      const { seen, position, fault } = await scan(new BytesFile(Buffer.concat([bytes, tail])))
      const found = { seed: random.seed, seen, position, isWhole: fault === null }
      expect(found).toEqual({ ...found, seen: placed, position: bytes.length, isWhole: false })
    }
  })
})

describe('the next valid batch', () => {
  test('is found from any place, and is the first that begins there or later', async () => {
    const { bytes, placed } = batchesOf([33, 0, 71, 12, 5])
    for (let start = 0; start <= bytes.length; start++) {
      const found = await findNextBatch(new BytesFile(bytes), start, bytes.length, 0)
      const expected = placed.find(({ position }) => position >= start)
      expect(found && { position: found.position, baseOffset: found.header.baseOffset }).toEqual(
        expected ? { position: expected.position, baseOffset: expected.baseOffset } : null,
      )
    }
  })

  test('is found behind any damage', async () => {
    const random = new SeededRandom()
    for (let i = 0; i < 500; i++) {
      const { parts } = batchesOf(
        Array.from({ length: 6 }, () => random.below(200)),
        random,
      )
      const garbage = [
        Buffer.from(random.bytes(random.below(300))),
        Buffer.alloc(random.below(300), random.pick([0, 2, 0xff])),
        // the beginning, the end, and all but a bit of a batch that was valid once; its end without the magic, because
        // anything may stand before that and pass for an offset
        parts[1].subarray(0, random.below(parts[1].length)),
        parts[1].subarray(random.between(17, parts[1].length)),
        Buffer.from(parts[1]).fill(random.below(256), parts[1].length - 1),
      ]
      const damage = Buffer.concat([random.pick(garbage), random.pick(garbage)])
      const bytes = Buffer.concat([damage, parts[2], parts[3]])
      const found = await findNextBatch(new BytesFile(bytes, () => 1 + random.below(400)), 0, bytes.length, 104)
      expect(found, `${random.toString()}, ${damage.toString('hex')}`).toMatchObject({
        position: damage.length,
        header: { baseOffset: 104 },
      })
    }
  })

  test('is found where the end of a chunk goes through its header, or through its body', async () => {
    const { bytes: batch } = batchesOf([100])
    for (const before of [
      CHUNK - 161,
      CHUNK - 162,
      CHUNK - 61,
      CHUNK - 60,
      CHUNK - 16,
      CHUNK - 1,
      CHUNK,
      3 * CHUNK - 30,
    ]) {
      // magic's 2 everywhere: each is a place to look at
      const bytes = Buffer.concat([Buffer.alloc(before, 2), batch, Buffer.alloc(CHUNK / 2, 2)])
      expect(await findNextBatch(new BytesFile(bytes), 0, bytes.length, 0)).toMatchObject({ position: before })
    }
  })

  test('is found where the byte before its magic looks like one, too', async () => {
    const bytes = rawBatch(Buffer.alloc(9), { leaderEpoch: 0x0202 })
    for (let before = 0; before < 40; before++) {
      const file = new BytesFile(Buffer.concat([Buffer.alloc(before, 2), bytes]))
      expect(await findNextBatch(file, 0, file.bytes.length, 0)).toMatchObject({ position: before })
    }
  })

  test('may be larger than a chunk', async () => {
    const { bytes: batch } = batchesOf([3 * CHUNK])
    const bytes = Buffer.concat([Buffer.alloc(1000, 0xff), batch])
    expect(await findNextBatch(new BytesFile(bytes), 1, bytes.length, 0)).toMatchObject({ position: 1000 })
  })

  test('is none of an earlier offset than those that are expected', async () => {
    const { bytes, placed } = batchesOf([33, 10, 71])
    const found = await findNextBatch(new BytesFile(bytes), 0, bytes.length, 103)
    expect(found).toMatchObject({ position: placed[2].position, header: { baseOffset: 104 } })
    expect(await findNextBatch(new BytesFile(bytes), 0, bytes.length, 105)).toBeNull()
  })

  test('is none that does not end before the given end', async () => {
    const { bytes, placed } = batchesOf([33, 10])
    const after = placed[0].position + 1
    expect(await findNextBatch(new BytesFile(bytes), after, bytes.length - 1, 0)).toBeNull()
    expect(await findNextBatch(new BytesFile(bytes.subarray(0, -1)), after, bytes.length, 0)).toBeNull()
    expect(await findNextBatch(new BytesFile(bytes), after, bytes.length, 0)).toMatchObject({
      position: placed[1].position,
    })
  })

  test('may hold more records than bytes, as zstd can compress them', async () => {
    const records = Buffer.concat(Array.from({ length: 5000 }, (_, i) => rawRecord([0], 0, i, -1, -1, 0)))
    const batch = rawBatch(compress('zstd', records), { attributes: 4, recordCount: 5000 })
    expect(batch.length).toBeLessThan(5000)
    const bytes = Buffer.concat([Buffer.alloc(10), batch])
    expect(await findNextBatch(new BytesFile(bytes), 0, bytes.length, 0)).toMatchObject({ position: 10 })
  })

  test('is not looked for beyond the end of a file that was thought to be longer', async () => {
    const file = new BytesFile(Buffer.alloc(500, 0xff))
    expect(await findNextBatch(file, 0, 3 * CHUNK, 0)).toBeNull()
    expect(file.reads).toBeLessThan(10)
  })

  test('is looked for in garbage and zeros without reading any byte twice over', async () => {
    const random = new SeededRandom()
    for (const fill of [0, 2, 0xff, -1]) {
      const bytes = fill < 0 ? Buffer.from(random.bytes(2 * CHUNK)) : Buffer.alloc(2 * CHUNK, fill)
      const file = new BytesFile(bytes)
      const found = await findNextBatch(file, 0, bytes.length, 0)
      expect({ seed: random.seed, found }).toEqual({ seed: random.seed, found: null })
      expect(file.reads).toBeLessThan(10)
    }
  })
})

describe('behind a damaged batch', () => {
  test('reading goes on where its length says, not at a batch that stands in its value', async () => {
    const inner = rawBatch(Buffer.from('a copy of a batch'), { baseOffset: 500 })
    const outer = rawBatch(Buffer.concat([Buffer.alloc(30), inner, Buffer.alloc(30)]), { baseOffset: 100 })
    const { bytes: next } = batchesOf([10])
    next.writeBigInt64BE(101n, 0)
    outer[outer.length - 1] ^= 1
    const bytes = Buffer.concat([outer, next])
    const found = await findBatchAfterDamage(new BytesFile(bytes), 0, bytes.length, 101)
    expect(found).toMatchObject({ position: outer.length, header: { baseOffset: 101 } })
  })

  test('reading ends where its length ends the file, not at a batch that stands in its value', async () => {
    const inner = rawBatch(Buffer.from('a copy of a batch'), { baseOffset: 500 })
    for (const behind of [Buffer.alloc(1), Buffer.alloc(80), inner.subarray(0, 70)]) {
      const outer = rawBatch(Buffer.concat([Buffer.alloc(30), inner, inner, behind]), { baseOffset: 100 })
      outer[outer.length - 1] ^= 1
      expect(await findBatchAfterDamage(new BytesFile(outer), 0, outer.length, 101)).toBeNull()
    }
  })

  test('a length that leads to a batch further on hides none of those before it', async () => {
    for (const last of [2, 3]) {
      const { bytes, placed } = batchesOf([33, 10, 71])
      const end = placed[last]?.position ?? bytes.length
      bytes.writeInt32BE(end - 12, 8)
      const found = await findBatchAfterDamage(new BytesFile(bytes), 0, bytes.length, 102)
      expect(found).toMatchObject({ position: placed[1].position, header: { baseOffset: 102 } })
    }
  })

  test('it goes on at the next valid batch, where the length is damaged too', async () => {
    const { bytes, placed } = batchesOf([33, 10, 71])
    bytes.writeInt32BE(70, placed[0].position + 8)
    const found = await findBatchAfterDamage(new BytesFile(bytes), 0, bytes.length, 102)
    expect(found).toMatchObject({ position: placed[1].position, header: { baseOffset: 102 } })
  })

  test('it goes on behind a second one, where that is damaged as well', async () => {
    const { bytes, placed } = batchesOf([33, 10, 71])
    bytes[placed[0].position + BATCH_HEADER_BYTES + 3] ^= 1
    bytes[placed[1].position + BATCH_HEADER_BYTES + 3] ^= 1
    const found = await findBatchAfterDamage(new BytesFile(bytes), 0, bytes.length, 102)
    expect(found).toMatchObject({ position: placed[2].position, header: { baseOffset: 104 } })
  })

  test('it goes on behind a second one, where that is of an earlier offset', async () => {
    const { bytes, placed } = batchesOf([33, 10, 71])
    bytes[placed[0].position + BATCH_HEADER_BYTES + 3] ^= 1
    const found = await findBatchAfterDamage(new BytesFile(bytes), 0, bytes.length, 103)
    expect(found).toMatchObject({ position: placed[2].position, header: { baseOffset: 104 } })
  })

  test('there is no old message in what is less than its head', async () => {
    expect(await startsWithOldMessage(new BytesFile(Buffer.alloc(11)), 0, 11)).toBe(false)
  })

  test('there may be nothing', async () => {
    const { bytes, placed } = batchesOf([33, 10])
    bytes[bytes.length - 1] ^= 1
    expect(await findBatchAfterDamage(new BytesFile(bytes), placed[1].position, bytes.length, 0)).toBeNull()
  })
})
