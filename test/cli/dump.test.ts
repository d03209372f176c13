import { readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { Varve } from '../../src/client/varve.ts'
import { jsonLines, runCli, temporaryDirectory, varve } from '../helpers/run-cli.ts'

const NOON = Date.UTC(2026, 0, 31, 12)

/** The path, without its ending, of a segment with three batches of two records each. */
async function segment(): Promise<string> {
  const directory = temporaryDirectory()
  await using log = await Varve.open({ directory })
  await log.createTopic({ name: 't', valueCodec: 'json', indexIntervalBytes: 0 })
  for (let i = 0; i < 3; i++) {
    const first = { key: `k${i}`, value: { i }, timestamp: NOON + i * 1000, headers: { h: 'x' } }
    await log.appendBatch('t', [first, { value: null, timestamp: NOON + i * 1000 }])
  }
  return `${directory}/t-0/${'0'.repeat(20)}`
}

test('a .log file is listed batch by batch, with --records record by record', async () => {
  const path = await segment()
  const lines = (await varve(['dump', `${path}.log`])).trimEnd().split('\n')
  expect(lines).toHaveLength(3)
  expect(lines[1]).toMatch(
    /^\d+\toffsets 2-3\t2 records\t\d+ bytes\t2026-01-31T12:00:01.000Z\tnone\tCreateTime\tepoch 0\tcrc [0-9a-f]{8} ok$/,
  )
  const withRecords = (await varve(['dump', `${path}.log`, '--records'])).split('\n')
  expect(withRecords.slice(4, 6)).toEqual([
    '\t2\t2026-01-31T12:00:01.000Z\tk1\t{"i":1}\th=x',
    '\t3\t2026-01-31T12:00:01.000Z\t-\t(no value)',
  ])
})

test('--json is one document an entry, and --value-codec decodes', async () => {
  const path = await segment()
  const batches = jsonLines(await varve(['dump', `${path}.log`, '--records', '--value-codec', 'json', '--json']))
  expect(batches[2]).toMatchObject({
    kind: 'batch',
    baseOffset: 4,
    lastOffset: 5,
    count: 2,
    crcOk: true,
    records: [
      { offset: 4, key: 'k2', value: { i: 2 }, headers: [['h', 'x']] },
      { offset: 5, key: null, value: null },
    ],
  })
})

test('index and checkpoint files are listed entry by entry, each pointing at a batch of the log', async () => {
  const path = await segment()
  const positions = jsonLines(await varve(['dump', `${path}.log`, '--json'])).map(({ position }) => position as number)
  const entries = jsonLines(await varve(['dump', `${path}.index`, '--json']))
  expect(entries.length).toBeGreaterThan(0)
  for (const { kind, logPosition } of entries)
    expect({ kind, found: positions.includes(logPosition) }).toEqual({ kind: 'index', found: true })
  expect(await varve(['dump', `${path}.timeindex`])).toContain('\t2026-01-31T12:00:02.000Z\toffset 5\n')
  const checkpoints = await Promise.all(
    ['a', 'b'].map((name) => runCli(['dump', path.replace(/t-0\/0+$/, `checkpoint-${name}`)])),
  )
  expect(checkpoints.some(({ stdout }) => /^0\tcheckpoint \d+\tformat \d+\tclosed in order\n/.test(stdout))).toBe(true)
})

test('damage is listed where it is, what follows is read, and the exit code is 1', async () => {
  const path = await segment()
  const [, second, third] = jsonLines(await varve(['dump', `${path}.log`, '--json']))
  const bytes = readFileSync(`${path}.log`)
  bytes[third.position - 1] ^= 1
  writeFileSync(`${path}.log`, bytes)
  const { code, stdout, stderr } = await runCli(['dump', `${path}.log`, '--json'])
  expect({ code, stderr }).toEqual({ code: 1, stderr: `varve: '${path}.log' is damaged in 1 place\n` })
  expect(jsonLines(stdout)).toMatchObject([
    { kind: 'batch', baseOffset: 0, crcOk: true },
    { kind: 'batch', baseOffset: 2, crcOk: false },
    { kind: 'damage', position: second.position, nextPosition: third.position, reason: 'checksum' },
    { kind: 'batch', baseOffset: 4, crcOk: true },
  ])
  expect((await runCli(['dump', `${path}.log`])).stdout).toMatch(
    /crc [0-9a-f]{8} WRONG\n\d+\tDAMAGED\tup to \d+\tchecksum\n/,
  )
})

test('a file that is missing, a directory and a file of another kind are said so with 1', async () => {
  const path = await segment()
  expect(await runCli(['dump', `${path}.nope`])).toMatchObject({
    code: 1,
    stderr: `varve: cannot read '${path}.nope': no such file or directory\n`,
  })
  const directory = path.replace(/\/0+$/, '')
  expect(await runCli(['dump', directory])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('it is a directory'),
  })
  const other = await runCli(['dump', `${directory}/partition.metadata`, '--json'])
  expect(other.code).toBe(2)
  expect(other.stderr).toMatch(/^varve: '[^\n]*partition\.metadata' is none of the files that can be listed: [^\n]*\n$/)
  const message = other.stderr.slice('varve: '.length, -1)
  expect(JSON.parse(other.stdout)).toEqual({ error: { code: 'USAGE', message, details: {} } })
})
