import { expect, test } from 'vitest'
import {
  type Json,
  jsonLines,
  outputWith,
  resultOf,
  runCli,
  runInTerminal,
  startCli,
  temporaryDirectory,
  varve,
} from '../helpers/run-cli.ts'
import { Varve } from '../../src/client/varve.ts'
import type { ProducerRecord } from '../../src/engine/record-encoding.ts'
import type { CreateTopicOptions } from '../../src/engine/topic-admin.ts'

const NOON = Date.UTC(2026, 0, 31, 12)

/** A new log with one topic that holds the records given. */
async function logWith(records: ProducerRecord[], options: Partial<CreateTopicOptions> = {}): Promise<string> {
  const directory = temporaryDirectory()
  await using log = await Varve.open({ directory })
  await log.createTopic({ name: 't', ...options })
  await log.appendBatch('t', records)
  return directory
}

async function read(directory: string, ...words: string[]): Promise<Json[]> {
  return jsonLines(await varve(['read', 't', '--json', '-d', directory, ...words]))
}

const fourRecords: ProducerRecord[] = [
  { value: 'a', timestamp: NOON, partition: 0 },
  { value: 'b', timestamp: NOON + 2000, partition: 0 },
  { value: 'c', timestamp: NOON + 1000, partition: 1 },
  { value: 'd', timestamp: NOON + 3000, partition: 1 },
]
const valuesOf = (records: Json[]) => records.map(({ value }) => value as unknown).join('')

test('--from earliest, latest, a time and an offset start there; the default is the earliest', async () => {
  const directory = await logWith(fourRecords, { partitions: 2 })
  expect(valuesOf(await read(directory))).toBe('abcd')
  expect(valuesOf(await read(directory, '--from', 'earliest'))).toBe('abcd')
  expect(valuesOf(await read(directory, '--from', 'latest'))).toBe('')
  expect(valuesOf(await read(directory, '--from', '2026-01-31T12:00:02Z'))).toBe('bd')
  expect(valuesOf(await read(directory, '--from', '2026-01-31T13:00:03+01:00'))).toBe('d')
  expect(valuesOf(await read(directory, '--from', '2026-01-31'))).toBe('abcd')
  expect(valuesOf(await read(directory, '--partition', '1', '--from', '1'))).toBe('d')
})

test('--partition, --max and --order choose what comes and how', async () => {
  const directory = await logWith(fourRecords, { partitions: 2 })
  expect(valuesOf(await read(directory, '-p', '1'))).toBe('cd')
  expect(valuesOf(await read(directory, '--max', '3'))).toBe('abc')
  expect(valuesOf(await read(directory, '--order', 'time'))).toBe('acbd')
})

test('a place that cannot be is refused: 2 for the command line, 1 for an offset that is not there', async () => {
  const directory = await logWith(fourRecords, { partitions: 2 })
  const results = await Promise.all([
    runCli(['read', 't', '--from', 'yesterday', '-d', directory]),
    runCli(['read', 't', '--from', '1', '-d', directory]),
    runCli(['read', 't', '--from', '3', '-p', '1', '-d', directory]),
    runCli(['read', 't', '-p', '2', '-d', directory]),
    runCli(['read', 't', '--max', '0', '-d', directory]),
    runCli(['read', 't', '--json', '--format', '%v', '-d', directory]),
    runCli(['read', 't', '--format', '%q', '-d', directory]),
  ])
  expect(results.map(({ code }) => code)).toEqual([2, 2, 1, 3, 2, 2, 2])
  expect(results[0].stderr).toContain('It must be earliest, latest, an offset, or an ISO 8601 time')
  expect(results[1].stderr).toContain("offset 1 is a place in one partition, and topic 't' has 2: add --partition <n>")
  expect(results[2].stderr).toBe('varve: offset 3 of t-1 is out of range: it holds 0 to 1\n')
  expect(results[3].stderr).toBe("varve: topic 't' has partitions 0 to 1, not 2\n")
  expect(results[6].stderr).toContain("--format has no token '%q'; there are %t %p %o")
})

test('a missing topic ends with 3 and names the topics there are', async () => {
  const directory = await logWith([])
  const { code, stdout, stderr } = await runCli(['read', 'u', '--json', '-d', directory])
  expect(code).toBe(3)
  expect(stderr).toMatch(
    /^varve: there is no topic 'u' in '.*' \(topics there: t\): `varve topic create u -d .*` creates it\n$/,
  )
  expect(JSON.parse(stdout).error).toMatchObject({ code: 'UNKNOWN_TOPIC_OR_PARTITION', details: { topic: 'u' } })
})

test('--json gives every field, and marks the bytes that are not text', async () => {
  const bytes = Buffer.from([0xff, 0xfe])
  const directory = await logWith(
    [
      { key: 'k', value: { a: [1, null] }, headers: { h: 'x', none: null }, timestamp: NOON },
      { key: bytes, value: null, headers: { h: bytes }, timestamp: -1 },
      {
        value: 'text',
        headers: [
          ['h', '1'],
          ['h', '2'],
        ],
        timestamp: 0,
      },
    ],
    { valueCodec: 'json' },
  )
  expect(await read(directory)).toEqual([
    {
      topic: 't',
      partition: 0,
      offset: 0,
      timestamp: NOON,
      key: 'k',
      value: { a: [1, null] },
      headers: { h: 'x', none: null },
    },
    {
      topic: 't',
      partition: 0,
      offset: 1,
      timestamp: -1,
      key: '//4=',
      keyEncoding: 'base64',
      value: null,
      headers: { h: { base64: '//4=' } },
    },
    {
      topic: 't',
      partition: 0,
      offset: 2,
      timestamp: 0,
      key: null,
      value: 'text',
      headers: [
        ['h', '1'],
        ['h', '2'],
      ],
    },
  ])
})

test("bytes that the topic's codec cannot read are shown as they are, and do not end the reading", async () => {
  const directory = await logWith(
    [{ value: Buffer.from('{"a":1}') }, { value: Buffer.from([0xc1]) }, { value: Buffer.from('2') }],
    {
      valueCodec: 'bytes',
    },
  )
  expect(await read(directory)).toMatchObject([
    { value: '{"a":1}' },
    { value: 'wQ==', valueEncoding: 'base64' },
    { value: '2' },
  ])
  expect(await read(directory, '--value-codec', 'json')).toMatchObject([
    { value: { a: 1 } },
    { valueEncoding: 'base64' },
    { value: 2 },
  ])
  const formatted = await varve([
    'read',
    't',
    '--value-codec',
    'json',
    '--format',
    '%v %S\\n',
    '--max',
    '1',
    '-d',
    directory,
  ])
  expect(formatted).toBe('{"a":1} 7\n')
})

test("a topic whose codec is a program's own shows its values as bytes", async () => {
  const own = {
    encode: (value: unknown) => Buffer.from(`<${String(value)}>`),
    decode: (bytes: Buffer) => bytes.toString().slice(1, -1),
  }
  const directory = await logWith([{ value: 'x' }], { valueCodec: own })
  expect(await read(directory)).toMatchObject([
    { value: Buffer.from('<x>').toString('base64'), valueEncoding: 'base64' },
  ])
  expect(await read(directory, '--value-codec', 'string')).toMatchObject([{ value: '<x>' }])
})

test('into a pipe a record is one line of five cells parted by tabs, whatever it holds', async () => {
  const values = [{ a: 1 }, 'two\nlines\tand a tab', null, 7]
  const directory = await logWith(
    values.map((value, i) => ({ value, timestamp: NOON, ...(i > 0 && { key: `k\n${i}` }) })),
  )
  const lines = (await varve(['read', 't', '-d', directory])).split('\n')
  expect(lines).toEqual([
    '0\t0\t2026-01-31T12:00:00.000Z\t\t{"a":1}',
    '0\t1\t2026-01-31T12:00:00.000Z\t"k\\n1"\t"two\\nlines\\tand a tab"',
    '0\t2\t2026-01-31T12:00:00.000Z\t"k\\n2"\t',
    '0\t3\t2026-01-31T12:00:00.000Z\t"k\\n3"\t7',
    '',
  ])
})

test('--format prints what its tokens say', async () => {
  const directory = await logWith([{ key: 'k', value: 'v', headers: { a: '1', b: '2' }, timestamp: NOON }])
  const format = '%t %p %o %T %D %k %K %v %s %S %h %%\\t\\x41\\n'
  expect(await varve(['read', 't', '--format', format, '-d', directory])).toBe(
    `t 0 0 ${NOON} 2026-01-31T12:00:00.000Z k 1 v v 2 a=1,b=2 %\tA\n`,
  )
})

test('--follow gives what is there, then what comes, at once, beside a live writer; Ctrl-C ends it with 0', async () => {
  const directory = await logWith([{ value: 'first' }])
  const child = startCli(['read', 't', '--follow', '--format', '%v\\n', '-d', directory])
  await outputWith(child, 'first\n')
  await using log = await Varve.open({ directory })
  const second = outputWith(child, 'second\n')
  await log.append('t', { value: 'second' })
  await second
  child.kill('SIGINT')
  expect((await resultOf(child)).code).toBe(0)
})

test('--follow --max ends by itself when it has so many', async () => {
  const directory = await logWith([])
  const child = startCli(['read', 't', '--follow', '--max', '2', '--format', '%v\\n', '-d', directory])
  const result = resultOf(child)
  await using log = await Varve.open({ directory })
  await log.append('t', { value: 'a' })
  await log.append('t', { value: 'b' })
  expect(await result).toEqual({ code: 0, stdout: 'a\nb\n', stderr: '' })
})

test('Ctrl-C in the middle of reading ends it with 130', async () => {
  const directory = await logWith(Array.from({ length: 200_000 }, (_, i) => ({ value: i })))
  const child = startCli(['read', 't', '-d', directory])
  await outputWith(child, '0\t10\t')
  child.stdout.pause()
  child.kill('SIGINT')
  child.stdout.resume()
  expect(await resultOf(child)).toMatchObject({ code: 130, stderr: '' })
})

// reason: `script`, which makes the terminal, takes other options elsewhere
test.skipIf(process.platform !== 'linux')(
  'a terminal gets objects spread over lines, and nothing that moves its cursor',
  async () => {
    const directory = await logWith([
      { key: 'k', value: { a: 1 }, headers: { h: 'x' }, timestamp: NOON },
      { value: '\u001b[2Jgone', timestamp: NOON },
    ])
    const { code, stdout } = await runInTerminal(['read', 't', '-d', directory])
    expect(code).toBe(0)
    expect(stdout.replaceAll('\r\n', '\n')).toBe(
      '0:0  2026-01-31T12:00:00.000Z  k  h=x\n{\n  "a": 1\n}\n0:1  2026-01-31T12:00:00.000Z  -  "\\u001b[2Jgone"\n',
    )
  },
)
