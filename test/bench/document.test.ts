import { expect, test } from 'vitest'
import { benchDocument, fileSystemOf, serialize } from '../../bench/document.ts'
import { sampleDocument } from './sample-document.ts'

const MOUNTS = `21 28 0:20 / /proc rw,nosuid - proc proc rw
28 1 254:0 / / rw,relatime shared:1 - ext4 /dev/root rw
40 28 0:35 / /srv rw shared:9 master:1 - xfs /dev/sdb rw
41 40 0:36 / /srv/data rw - btrfs /dev/sdc rw
`

test.each([
  ['/home/a', 'ext4'],
  ['/srv', 'xfs'],
  ['/srv/database', 'xfs'],
  ['/srv/data/x', 'btrfs'],
])('%s is on %s', (path, type) => {
  expect(fileSystemOf(path, MOUNTS)).toBe(type)
})

test('a file system that nobody names is unknown', () => {
  expect(fileSystemOf('/x', '')).toBe('unknown')
})

test('a document says where it was measured', () => {
  const { scale, results } = sampleDocument()
  const document = benchDocument(scale, results)
  expect(document.node).toBe(process.version)
  expect(document.machine.cores).toBeGreaterThan(0)
  expect(document.machine.memoryBytes).toBeGreaterThan(1e8)
  expect(Date.parse(document.date)).toBeGreaterThan(0)
})

test('a document survives JSON to five digits, a spread on each line', () => {
  const document = sampleDocument()
  const [first] = document.results
  first.variants[0].metrics.recordsPerSecond = { median: 1234567.891, min: 1 / 3, max: 2e6 }
  const text = serialize(document)
  expect(text).toContain('"recordsPerSecond": { "median": 1234600, "min": 0.33333, "max": 2000000 }')
  const again = JSON.parse(text) as typeof document
  expect(again.results.length).toBe(document.results.length)
  expect(again.scale).toEqual(document.scale)
})
