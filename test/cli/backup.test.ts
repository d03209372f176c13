import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { Varve } from '../../src/client/varve.ts'
import { EARTHQUAKES, runCli, temporaryDirectory, varve } from '../helpers/run-cli.ts'

const SEGMENT = `${'0'.repeat(20)}.log`

test('a backup is sound, says so, and holds every record', async () => {
  const directory = temporaryDirectory()
  await varve(['append', 'q', EARTHQUAKES, '--create', '--partitions', '2', '-k', 'net', '-d', directory])
  const target = `${directory}-copy`
  const { code, stdout, stderr } = await runCli(['backup', target, '-d', directory])
  expect({ code, stdout }).toEqual({ code: 0, stdout: '' })
  expect(stderr).toMatch(/^'.*-copy' is complete and sound: 3 partitions, [\d.]+ kB in [\d.]+ s\n$/)
  const records = ['read', 'q', '--json', '-d']
  expect(await varve([...records, target])).toBe(await varve([...records, directory]))
  expect((await runCli(['verify', target])).code).toBe(0)
  const again = await runCli(['backup', target, '-d', directory])
  expect([again.code, again.stderr]).toEqual([1, expect.stringContaining('is not empty: name a directory')])
  const inside = await runCli(['backup', `${directory}/copy`, '-d', directory])
  expect([inside.code, inside.stderr]).toEqual([2, expect.stringContaining('name a place outside')])
})

test('what is damaged is copied and listed, and ends with 1', async () => {
  const directory = temporaryDirectory()
  await varve(['append', 'q', EARTHQUAKES, '--create', '-d', directory])
  const path = `${directory}/q-0/${SEGMENT}`
  const bytes = readFileSync(path)
  bytes[20_000] ^= 0x10
  writeFileSync(path, bytes)
  const target = `${directory}-copy`
  const { code, stdout, stderr } = await runCli(['backup', target, '-d', directory])
  expect(code).toBe(1)
  expect(stdout.split('\t')).toEqual([
    `${target}/q-0/${SEGMENT}`,
    expect.any(String),
    expect.stringMatching(/^\d+-\d+$/),
    'checksum\n',
  ])
  expect(stderr).toContain('is complete and damaged in 1 place, as the log is')
  const json = JSON.parse((await runCli(['backup', `${target}-2`, '-d', directory, '--json'])).stdout)
  expect(json).toMatchObject({ directory: `${target}-2`, damage: [{ reason: 'checksum' }] })
  expect(json.partitions.map(({ topic }: { topic: string }) => topic)).toEqual(['__varve_catalog', 'q'])
})

test('a program that has the log open takes its backups itself, while it writes', async () => {
  const directory = temporaryDirectory()
  const log = await Varve.open({ directory })
  await log.createTopic({ name: 'orders', partitions: 3, valueCodec: 'string', segmentBytes: 20_000 })
  let isDone = false
  let acknowledged = 0
  const writing = Array.from({ length: 20 }, async () => {
    while (!isDone) {
      await log.append('orders', { value: `order ${'.'.repeat(200)}` })
      acknowledged++
    }
  })
  const target = `${directory}-copy`
  const refused = await runCli(['backup', target, '-d', directory])
  expect([refused.code, existsSync(target)]).toEqual([1, false])
  expect(refused.stderr).toContain(`or have it call log.backup("${target}")`)
  const before = acknowledged
  const { partitions, damage } = await log.backup(target)
  isDone = true
  await Promise.all(writing)
  expect(damage).toEqual([])
  const copied = partitions.reduce((sum, { topic, logEndOffset }) => sum + (topic === 'orders' ? logEndOffset : 0), 0)
  expect(copied).toBeGreaterThanOrEqual(before)
  expect(copied).toBeLessThanOrEqual(acknowledged)
  await log.close()
  expect(JSON.parse(await varve(['verify', target, '--json']))).toMatchObject({ ok: true, warnings: [] })
  const copy = await Varve.open({ directory: target })
  expect(copy.recovery).toMatchObject({ clean: true, scannedBytes: 0, damage: [] })
  let records = 0
  for await (const _ of copy.read('orders')) records++
  expect(records).toBe(copied)
  await copy.close()
})
