/** What is kept of a torn tail. */
import { expect, test } from 'vitest'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { SegmentPool } from '../../src/storage/segment-pool.ts'
import { rewrite, setAside } from '../../src/storage/torn-tail.ts'
import { FaultyStorage } from '../helpers/faulty-storage.ts'
import { namesIn, putFile } from '../helpers/logs.ts'

const DIRECTORY = '/log/t-0'
const LOG = '00000000000000000007.log'

async function tornLog(content: Buffer) {
  const storage = new FaultyStorage(new MemoryStorage())
  await putFile(storage, `${DIRECTORY}/${LOG}`, content)
  const file = await storage.openFile(`${DIRECTORY}/${LOG}`, 'write')
  const context = {
    storage,
    directory: DIRECTORY,
    pool: new SegmentPool(),
    readOnly: false,
    indexIntervalBytes: () => 1,
    monotonicMs: () => 0,
  }
  return { storage, file, context }
}

test('a tail is cut, and kept beside', async () => {
  const { storage, file, context } = await tornLog(Buffer.from('valid, and torn'))
  const set = await setAside(context, '/log/recovery', { file, end: 5, size: 15, later: [] })
  const savedTo = [`/log/recovery/t-0-${LOG.slice(0, -4)}-5.cut`]
  expect(set).toEqual({ cutBytes: 10, savedTo })
  expect((await storage.readFile(savedTo[0])).toString()).toBe(', and torn')
  expect((await storage.readFile(`${DIRECTORY}/${LOG}`)).toString()).toBe('valid')
})

test('one that is all zeros, as of a file that grew before its data came, is cut and not worth keeping', async () => {
  const { storage, file, context } = await tornLog(Buffer.concat([Buffer.from('valid'), Buffer.alloc(10)]))
  const set = await setAside(context, '/log/recovery', { file, end: 5, size: 15, later: [] })
  expect(set).toEqual({ cutBytes: 10, savedTo: [] })
  expect(await namesIn(storage, '/log/recovery')).toEqual([])
  expect((await storage.readFile(`${DIRECTORY}/${LOG}`)).toString()).toBe('valid')
})

test('what is valid is written over itself, every byte, and nothing else', async () => {
  const content = Buffer.alloc(2_500_000, 'the content ')
  const { storage, file } = await tornLog(content)
  storage.calls.length = 0
  await rewrite(file, 10, content.length - 10)
  const written = storage.calls.filter(({ kind }) => kind === 'write')
  expect(written.map(({ position }) => position)).toEqual([10, 1_048_586, 2_097_162])
  expect(written.reduce((sum, { length = 0 }) => sum + length, 0)).toBe(content.length - 20)
  expect((await storage.readFile(`${DIRECTORY}/${LOG}`)).equals(content)).toBe(true)
})
