/** Partitions that Kafka wrote, compacted by Varve: transactions, markers, and what Kafka's own cleaner has left. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Varve } from '../../src/client/varve.ts'
import { dumpFile } from '../../src/inspect/dump-file.ts'
import { verifyDirectory } from '../../src/inspect/verify-directory.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { namesIn } from '../helpers/logs.ts'
import { nodeStorage } from '../../src/storage/node-storage.ts'
import { goldenPartitions } from './golden-log.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'varve-compact-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

interface Found {
  offset: number
  key: string | null
  text: string
  isControl: boolean
  isTransactional: boolean
}

async function recordsIn(folder: string): Promise<Found[]> {
  const found: Found[] = []
  for (const name of await namesIn(nodeStorage(), folder)) {
    if (!name.endsWith('.log')) continue
    for await (const entry of dumpFile(join(folder, name), { records: true })) {
      if (entry.kind !== 'batch') throw new Error(`${name}: ${entry.kind}`)
      const { isControl, isTransactional } = entry
      for (const record of entry.records!) {
        const key = record.key?.toString('hex') ?? null
        found.push({ offset: record.offset, key, text: JSON.stringify(record), isControl, isTransactional })
      }
    }
  }
  return found
}

describe.each(goldenPartitions)('$name', ({ path, topic, partition }) => {
  test('keeps the latest record of each key, every marker, and what may have been aborted', async () => {
    cpSync(path, join(directory, `${topic}-0`), { recursive: true })
    // before the delete horizons that Kafka has set
    const log = await Varve.open({ directory, clock: new FakeClock(1_600_000_000_000) })
    await log.adoptTopic({ name: topic, cleanupPolicy: 'compact', segmentBytes: 14 })
    // seals what Kafka wrote
    for (let i = 0; i < 2; i++) await log.append(topic, { key: 'ours', value: Buffer.from('x') })
    const folder = join(directory, `${topic}-0`)
    const before = await recordsIn(folder)
    const results = await log.compact(topic)
    expect(results[0].recordsBefore).toBe(before.length - 1)
    const after = await recordsIn(folder)
    expect(results[0].recordsAfter).toBe(after.length - 1)
    const texts = new Map(after.map((record) => [record.offset, record.text]))
    const wasThere = new Map(before.map((record) => [record.offset, record.text]))
    for (const { offset, text } of after) expect(text).toBe(wasThere.get(offset))
    // by key, the last one that is certain to count
    const decisive = new Map<string | null, number>()
    for (const { key, offset, isControl, isTransactional } of before.slice(0, -1))
      if (!isControl && !isTransactional) decisive.set(key, offset)
    for (const { key, offset, isControl } of before) {
      const isLatest = offset >= (decisive.get(key) ?? -1)
      expect([offset, texts.has(offset)]).toEqual([offset, isControl || (key !== null && isLatest)])
    }
    const visible: number[] = []
    for await (const { offset } of log.read(topic)) visible.push(offset)
    expect(visible).toEqual(after.filter(({ isControl }) => !isControl).map(({ offset }) => offset))
    expect((await verifyDirectory(directory)).damage).toEqual([])
    await log.close()
    const again = await Varve.open({ directory })
    expect(again.recovery).toMatchObject({ clean: true, damage: [] })
    expect(await recordsIn(folder)).toEqual(after)
    await again.close()
    expect(partition).toBeGreaterThanOrEqual(0)
  })
})
