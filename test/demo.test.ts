import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { digest, firstDifference, sameOrderPerKey, type AppendedRecord } from '../scripts/demo/proof.ts'

const SCRIPT = fileURLToPath(new URL('../scripts/demo.ts', import.meta.url))
let directory: string

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'varve-demo-test-'))
})

afterAll(() => {
  rmSync(directory, { recursive: true, force: true })
})

async function runDemo(...words: string[]): Promise<{ status: number | null; output: string }> {
  const child = spawn(process.execPath, ['--import', 'tsx', SCRIPT, '--quick', ...words])
  let output = ''
  child.stdout.on('data', (chunk) => (output += String(chunk)))
  child.stderr.on('data', (chunk) => (output += String(chunk)))
  const status = await new Promise<number | null>((resolve) => child.on('close', resolve))
  return { status, output }
}

test('it proves everything it shows, draws the picture and leaves nothing behind', async () => {
  const svg = join(directory, 'picture.svg')
  const { status, output } = await runDemo('--directory', directory, '--svg', svg)
  const text = output.replaceAll(/\s+/g, ' ')
  expect(output).toContain('Everything held.')
  expect(status).toBe(0)
  expect(text).toContain('✓ 1,707 records, 1.1 MB in')
  expect(text).toMatch(/✓ open in [\d.]+ ms; closed in order: yes; read back 0 B, cut 0 B, damage 0/)
  expect(output.match(/ in ([0-9a-f]{8}) = out \1$/gm)).toHaveLength(4)
  expect(text).toMatch(
    /✓ 1,707 records replayed in \d+ ms and compared one by one: key, value, time and offset, byte for byte/,
  )
  expect(text).toContain('✓ order holds: each of the 12 networks')
  expect(text).toContain('magnitude 6.4, 22km NNE of Hualian, Taiwan')
  expect(text).toMatch(/5\d\d records handled when it died, [\d,]+ of them committed/)
  expect(text).toMatch(/the other two had its [12] partitions? after 500 ms/)
  expect(text).toContain('✓ every one of the 1,707 records was handled, whoever died')
  expect(text).toMatch(/✓ \d+ records? handled twice: those that were handled and not committed/)
  expect(text).toContain('✓ the group has committed to the end of every partition')
  expect(text).toMatch(/[\d,]+ records acknowledged when it died; open recovered [\d,]+ in/)
  expect(text).toContain('✓ every acknowledged record is there, in order, byte for byte')
  expect(text).toContain('On this disk a sync takes')
  expect(output).not.toContain('\x1b')
  expect(output.split('\n').filter((line) => line.length > 100)).toEqual([])
  expect(readFileSync(svg, 'utf8')).toContain('</svg>')
  expect(readdirSync(directory)).toEqual(['picture.svg'])
})

test('it says what is wrong and exits with 1', async () => {
  const file = join(directory, 'a-file')
  writeFileSync(file, '')
  const { status, output } = await runDemo('--directory', file)
  expect(output).toContain('✗ Failed: ENOTDIR')
  expect(status).toBe(1)
})

const record = (offset: number, key: string, value: string, timestamp = 5): AppendedRecord => ({
  partition: 0,
  offset,
  key: Buffer.from(key),
  value: Buffer.from(value),
  timestamp,
})
const put = [record(0, 'ak', 'one'), record(1, 'us', 'two'), record(2, 'ak', 'three')]

test('the comparison finds every kind of difference', () => {
  const changed = (index: number, other: AppendedRecord) => put.map((each, i) => (i === index ? other : each))
  expect(firstDifference(put, put)).toBeNull()
  expect(firstDifference(put, put.slice(0, 2))).toBe('partition 0 ends before offset 2')
  expect(firstDifference(put, [...put, record(3, 'us', 'four')])).toBe('partition 0 holds more than was appended')
  expect(firstDifference(put, changed(1, record(1, 'us', 'tvo')))).toContain('the value at offset 1')
  expect(firstDifference(put, changed(1, record(1, 'uw', 'two')))).toContain('the key at offset 1')
  expect(firstDifference(put, changed(1, record(1, 'us', 'two', 6)))).toContain('the time at offset 1')
  expect(firstDifference(put, changed(1, record(7, 'us', 'two')))).toContain(
    'offset 7 of partition 0 stands where 1 should',
  )
})

test('the digest and the order by key notice what was exchanged', () => {
  const exchanged = [put[2], put[1], put[0]]
  expect(digest(exchanged)).not.toBe(digest(put))
  expect(sameOrderPerKey(put, exchanged)).toBe(false)
  expect(sameOrderPerKey(put, [put[1], put[0], put[2]])).toBe(true)
  expect(sameOrderPerKey(put, put.slice(0, 2))).toBe(false)
})
