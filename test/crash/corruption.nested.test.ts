/** Records whose values are batches themselves, as where a topic archives what another one held. */
import { describe, expect, test } from 'vitest'
import { stampBatch } from '../../src/codec/record-batch.ts'
import { BatchEncoder } from '../../src/codec/batch-encoder.ts'
import { VarveError } from '../../src/errors.ts'
import { repairDirectory } from '../../src/inspect/repair-directory.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { changeFile, DIRECTORY, openLog, segmentPath } from '../helpers/logs.ts'

const RECORDS = 10
const HEADER_BYTES = 61
/** Where a batch says how long it is: what is damaged there cannot be told from what it holds. */
const LENGTH = [8, 9, 10, 11]

/** A batch that would fit the log at `offset`, were it one of the log. */
function nested(offset: number): Buffer {
  const encoder = new BatchEncoder({
    batchBytes: 16_384,
    compressionType: 'none',
    timestampType: 'CreateTime',
    now: () => 1,
  })
  encoder.append(Buffer.from('k'), Buffer.from(`nested ${offset}`), [], 1)
  const bytes = Buffer.from(encoder.finish().bytes)
  stampBatch(bytes, 0, offset, 0)
  return bytes
}

async function archive(): Promise<MemoryStorage> {
  const disk = new MemoryStorage()
  const log = await openLog({ storage: disk })
  await log.createTopic({ name: 't', valueCodec: 'bytes' })
  for (let offset = 0; offset < RECORDS; offset++) await log.append('t', { value: nested(offset) })
  await log.close()
  return disk
}

/** The offsets that can be read, going on behind damage as the errors say; fails on a record that was never appended. */
async function readAround(storage: MemoryStorage, directory = DIRECTORY): Promise<number[]> {
  const log = await openLog({ storage, directory })
  const read: number[] = []
  for (let from = 0, isRead = false; !isRead;) {
    try {
      for await (const { offset, value } of log.read('t', { partition: 0, from })) {
        expect(nested(offset).equals(value as Uint8Array), `the record at ${offset}`).toBe(true)
        read.push(offset)
        from = offset + 1
      }
      isRead = true
    } catch (error) {
      if (!(error instanceof VarveError)) throw error
      from = Math.max(error.details.nextOffset!, from)
    }
  }
  await log.close()
  return read
}

describe('a batch that is a value is never read as one of the log', () => {
  test.each([4, RECORDS - 1])(
    'with one bit wrong in the header of the batch around it, at offset %i',
    async (damaged) => {
      const disk = await archive()
      const others = Array.from({ length: RECORDS }, (_, i) => i).filter((offset) => offset !== damaged)
      for (let bit = 0; bit < HEADER_BYTES * 8; bit++) {
        if (LENGTH.includes(bit >> 3)) continue
        const image = disk.clone()
        await changeFile(image, segmentPath('t', 0, 0, '.log'), (content) => {
          let at = 0
          for (let i = 0; i < damaged; i++) at += 12 + content.readInt32BE(at + 8)
          content[at + (bit >> 3)] ^= 1 << (bit & 7)
        })
        const { ok } = await repairDirectory(DIRECTORY, { storage: image, output: '/saved' })
        expect(ok, `bit ${bit}`).toBe(false)
        expect(await readAround(image, '/saved'), `bit ${bit}, repaired`).toEqual(others)
        expect(await readAround(image), `bit ${bit}`).toEqual(others)
      }
    },
  )
})
