/** What the indexes knew of a batch before it was damaged is not forgotten: not by the next open, and not by a copy. */
import { describe, expect, test } from 'vitest'
import { VarveError } from '../../src/errors.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { changeFile, DIRECTORY, openLog, segmentPath } from '../helpers/logs.ts'

const COPY = '/backups/copy'
const DAMAGED = 10
/** Of the damaged batch, later than all others. */
const LATEST = 50_000
const timeOf = (offset: number): number => (offset === DAMAGED ? LATEST : 10_000 + 200 * offset)

async function damagedLog(stop: 'closed' | 'closed without indexes' | 'killed', at: number): Promise<MemoryStorage> {
  const disk = new MemoryStorage()
  const log = await openLog({ storage: disk })
  await log.createTopic({ name: 't', indexIntervalBytes: 1, valueCodec: 'string' })
  for (let i = 0; i < 60; i++) await log.append('t', { value: 'v'.repeat(200) + i, timestamp: timeOf(i) })
  await log.createTopic({ name: 'other' })
  if (stop !== 'killed') await log.close()
  const image = disk.clone()
  if (stop === 'closed without indexes')
    for (const suffix of ['.index', '.timeindex'] as const) await image.removeFile(segmentPath('t', 0, 0, suffix))
  await changeFile(image, segmentPath('t', 0, 0, '.log'), (content) => {
    let position = 0
    for (let i = 0; i < DAMAGED; i++) position += 12 + content.readInt32BE(position + 8)
    content[position + at] ^= 0x80
  })
  return image
}

/** What a look-up by time finds: an offset, or the damage that may hold it. */
async function lookUp(storage: MemoryStorage, timestamp: number, directory = DIRECTORY): Promise<unknown> {
  const log = await openLog({ storage, directory })
  try {
    for await (const { offset } of log.read('t', { from: { timestamp } })) return offset
    return null
  } catch (error) {
    if (!(error instanceof VarveError)) throw error
    return [error.code, error.details.offset]
  } finally {
    await log.close()
  }
}

describe.each([
  ['its time', 41],
  ['its format', 16],
  ['its records', 100],
])('of a batch with a wrong bit in %s', (_what, at) => {
  test.each(['closed', 'closed without indexes', 'killed'] as const)(
    'look-ups by time name the damage after every open of a log that was %s, and in its backup',
    async (stop) => {
      const image = await damagedLog(stop, at)
      for (let open = 0; open < 3; open++) {
        for (const timestamp of [21_500, 45_000])
          expect(await lookUp(image, timestamp), `open ${open}`).toEqual(['CORRUPT_MESSAGE', DAMAGED])
      }
      const log = await openLog({ storage: image })
      await log.backup(COPY)
      await log.close()
      for (let open = 0; open < 2; open++) {
        for (const timestamp of [21_500, 45_000])
          expect(await lookUp(image, timestamp, COPY), `copy, open ${open}`).toEqual(['CORRUPT_MESSAGE', DAMAGED])
      }
    },
  )
})
