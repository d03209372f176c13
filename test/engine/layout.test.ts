/** What the files of a partition's directory say of it. */
import { expect, test } from 'vitest'
import { parseTopicId, readTopicId, writePartitionMetadata } from '../../src/engine/layout.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { putFile } from '../helpers/logs.ts'

const TOPIC_ID = 'AbCdEfGhIjKlMnOpQrStUv'

test("a partition's metadata binds it to its topic, and what is damaged or missing binds it to none", async () => {
  const storage = new MemoryStorage()
  await storage.makeDirectory('/log/t-0')
  expect(await readTopicId(storage, '/log/t-0')).toBe(null)
  await writePartitionMetadata(storage, '/log/t-0', TOPIC_ID)
  expect(await readTopicId(storage, '/log/t-0')).toBe(TOPIC_ID)
  await putFile(storage, '/log/t-0/partition.metadata', `version: 0\ntopic_id: ${TOPIC_ID.slice(1)}`)
  expect(await readTopicId(storage, '/log/t-0')).toBe(null)
})

test.each(['', `version: 1\ntopic_id: ${TOPIC_ID}`, `topic_id: ${TOPIC_ID}`, '\0'.repeat(47)])(
  'no topic id is read from %j',
  (content) => {
    expect(parseTopicId(Buffer.from(content))).toBe(null)
  },
)
