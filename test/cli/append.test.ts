import { readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import {
  EARTHQUAKES,
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

/** A new log with one topic. */
async function topicIn(...words: string[]): Promise<string> {
  const directory = temporaryDirectory()
  await varve(['topic', 'create', 't', '-d', directory, ...words])
  return directory
}

async function recordsOf(directory: string, ...words: string[]): Promise<Json[]> {
  return jsonLines(await varve(['read', 't', '--json', '-d', directory, ...words]))
}

test('the earthquakes, appended by key and timestamp to 4 partitions, are read back equal and in order per key', async () => {
  const directory = await topicIn('--partitions', '4')
  const { code, stdout, stderr } = await runCli([
    'append',
    't',
    EARTHQUAKES,
    '-k',
    'net',
    '-t',
    'time',
    '-d',
    directory,
  ])
  expect({ code, stdout }).toEqual({ code: 0, stdout: '' })
  expect(stderr).toMatch(/^appended to 't': 1,707 records, 1\.1 MB in [\d.]+ s \([\d,]+ records\/s\)\n$/)
  const events = jsonLines(readFileSync(EARTHQUAKES, 'utf8'))
  const records = await recordsOf(directory)
  const byNetwork = (network: string) => events.filter(({ net }) => net === network)
  for (const network of new Set(events.map(({ net }) => net as string))) {
    const ofKey = records.filter(({ key }) => key === network)
    expect(ofKey.map(({ value }) => value as unknown)).toEqual(byNetwork(network))
    expect(new Set(ofKey.map(({ partition }) => partition as number)).size).toBe(1)
  }
  expect(records).toHaveLength(events.length)
  expect(records.every(({ timestamp, value }) => timestamp === value.time)).toBe(true)
})

test('in a topic of strings and of bytes every line comes back to the byte', async () => {
  for (const valueCodec of ['string', 'bytes']) {
    const directory = await topicIn('-c', `valueCodec=${valueCodec}`)
    await varve(['append', 't', EARTHQUAKES, '-d', directory])
    expect(await varve(['read', 't', '--format', '%v\\n', '-d', directory])).toBe(readFileSync(EARTHQUAKES, 'utf8'))
  }
})

test('--json prints the summary on standard output, by partition, and nothing else anywhere', async () => {
  const directory = await topicIn('-p', '2')
  const { code, stdout, stderr } = await runCli(['append', 't', '--json', '-p', '1', '-d', directory], {
    input: '{"a":1}\n{"a":2}\n',
  })
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(JSON.parse(stdout)).toEqual({
    topic: 't',
    records: 2,
    bytes: 14,
    skipped: 0,
    seconds: expect.any(Number),
    recordsPerSecond: expect.any(Number),
    partitions: [{ partition: 1, records: 2, firstOffset: 0, lastOffset: 1 }],
  })
})

test('a topic that is missing ends with 3, the command that creates it, and nothing created', async () => {
  const directory = await topicIn()
  const { code, stdout, stderr } = await runCli(['append', 'u', '-d', directory], { input: 'x' })
  expect({ code, stdout }).toEqual({ code: 3, stdout: '' })
  expect(stderr).toContain(
    `there is no topic 'u' in '${directory}' (topics there: t): \`varve topic create u -d ${directory}\` creates it`,
  )
  expect(await varve(['topic', 'list', '-d', directory])).toMatch(/^t\t[^\n]*\n$/)
})

test('--create creates a missing topic as asked, and leaves one that is there as it is', async () => {
  const directory = temporaryDirectory()
  const words = ['append', 't', '--create', '--partitions', '3', '-c', 'valueCodec=json', '-d', directory]
  await varve(words, { input: 'a' })
  await varve([...words, '--partitions', '9'], { input: 'b' })
  const { partitions, config } = JSON.parse(await varve(['topic', 'describe', 't', '--json', '-d', directory]))
  expect({ partitions: partitions.length, valueCodec: config.valueCodec }).toEqual({
    partitions: 3,
    valueCodec: 'json',
  })
  expect(await recordsOf(directory)).toHaveLength(2)
})

test('a malformed line ends with 1, its file and number; all before it is appended, and said', async () => {
  const directory = await topicIn()
  const file = `${directory}.ndjson`
  writeFileSync(file, '{"a":1}\n\n{"a":2}\n{"a":\n{"a":4}\n')
  const { code, stdout, stderr } = await runCli(['append', 't', file, '--json', '-d', directory])
  expect(code).toBe(1)
  expect(stderr).toMatch(/^varve: .*\.ndjson:4: not JSON: .*; appended before it: 2 records\n$/)
  expect(JSON.parse(stdout).error).toMatchObject({
    code: 'INVALID_LINE',
    details: { path: file, line: 4, appended: 2 },
  })
  expect((await recordsOf(directory)).map(({ value }) => value as unknown)).toEqual([{ a: 1 }, { a: 2 }])
})

test('--skip-invalid goes on without the lines that are no records, names the first ones and counts all', async () => {
  const directory = await topicIn()
  const input = Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? `{"k":${i}}` : 'no')).join('\n')
  const { code, stderr } = await runCli(
    ['append', 't', '--format', 'json', '-k', 'k', '--skip-invalid', '-d', directory],
    {
      input,
    },
  )
  expect(code).toBe(0)
  expect(stderr).toMatch(/^varve: stdin:2: skipped: not JSON/)
  expect(stderr).toMatch(/records\/s\); 20 lines skipped\n$/)
  expect(stderr.split('\n')).toHaveLength(10 + 1 + 1 + 1)
  expect((await recordsOf(directory)).map(({ key }) => Number(key))).toEqual(
    Array.from({ length: 20 }, (_, i) => i * 2),
  )
})

test('a record that the log refuses is named by its line; those before it are appended, and none after it', async () => {
  const directory = await topicIn('-c', 'maxMessageBytes=1000')
  const input = `a\nb\n${'x'.repeat(2000)}\n${'c\n'.repeat(5)}`
  const { code, stderr } = await runCli(['append', 't', '--batch', '2', '-d', directory], { input })
  expect(code).toBe(1)
  expect(stderr).toMatch(
    /^varve: stdin:3: a record of \d+ bytes is larger than the maxMessageBytes .*; appended before it: 2 records\n$/,
  )
  const skipping = await runCli(['append', 't', '--skip-invalid', '-d', directory], { input })
  expect(skipping.code).toBe(0)
  expect((await recordsOf(directory)).map(({ value }) => value as unknown)).toEqual('ababccccc'.split(''))
})

test('--header, given several times, is on every record in that order', async () => {
  const directory = await topicIn()
  await varve(['append', 't', '-H', 'source=web', '-H', 'source=app', '-H', 'empty=', '-d', directory], { input: 'x' })
  expect((await recordsOf(directory))[0].headers).toEqual([
    ['source', 'web'],
    ['source', 'app'],
    ['empty', ''],
  ])
})

test('the format is that of the name, else of the first byte, else as --format says', async () => {
  const directory = await topicIn()
  const asValues = async (input: string, ...words: string[]) => {
    await varve(['append', 't', ...words, '-d', directory], { input })
    return (await recordsOf(directory)).at(-1).value as unknown
  }
  expect(await asValues(' {"a":1}')).toEqual({ a: 1 })
  expect(await asValues('[1] a log line')).toBe('[1] a log line')
  expect(await asValues('{"a":1}', '--format', 'lines')).toBe('{"a":1}')
  writeFileSync(`${directory}.log`, '{"a":2}')
  expect(await asValues('', `${directory}.log`)).toBe('{"a":2}')
})

test('options that cannot be are refused with 2 before anything is read or written', async () => {
  const directory = await topicIn()
  const wrong: [string[], RegExp][] = [
    [['--batch', '0'], /'--batch <n>'|'-b, --batch <n>'/],
    [['--format', 'xml'], /It must be json or lines/],
    [['--header', 'novalue'], /It must be <name>=<value>/],
    [['--flush', '0ms'], /--flush must be each, group, os, a loss window/],
    [['--flush', 'sometimes'], /--flush must be/],
    [['--partitions', '2'], /for a topic that --create makes/],
    [['--format', 'lines', '--key', 'a'], /--key and --timestamp name fields of JSON/],
  ]
  for (const [words, message] of wrong) {
    const { code, stderr } = await runCli(['append', 't', ...words, '-d', directory], { input: 'x' })
    expect({ words, code, stderr }).toEqual({ words, code: 2, stderr: expect.stringMatching(message) })
  }
  expect(await recordsOf(directory)).toEqual([])
})

test('a partition that the topic does not have ends with 3', async () => {
  const directory = await topicIn()
  const { code, stderr } = await runCli(['append', 't', '-p', '1', '-d', directory], { input: 'x' })
  expect({ code, stderr }).toEqual({ code: 3, stderr: "varve: topic 't' has partition 0 only, not 1\n" })
})

test('--flush that a setting of the topic would overrule is refused, and says how to change that', async () => {
  const directory = await topicIn('-c', 'flush=each')
  const { code, stderr } = await runCli(['append', 't', '--flush', '5ms', '-d', directory], { input: 'x' })
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: expect.stringContaining(`varve topic alter t -c flush=5ms -d ${directory}`),
  })
  await varve(['append', 't', '--flush', 'each', '-d', directory], { input: 'x' })
  expect(await recordsOf(directory)).toHaveLength(1)
})

test('every flush mode appends everything', async () => {
  const directory = await topicIn()
  for (const flush of ['each', 'group', 'os', '10ms', '{"ms":5,"records":10}']) {
    await varve(['append', 't', '--flush', flush, '--batch', '7', '-d', directory], { input: 'x\n'.repeat(50) })
  }
  expect(await recordsOf(directory)).toHaveLength(250)
})

test('a file that cannot be read is said so, and creates nothing', async () => {
  const directory = temporaryDirectory()
  const { code, stderr } = await runCli(['append', 't', '/nowhere/x.ndjson', '--create', '-d', directory])
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: "varve: cannot read '/nowhere/x.ndjson': no such file or directory\n",
  })
  expect((await runCli(['topic', 'list', '-d', directory])).code).toBe(3)
})

test('a directory that another process holds is refused at once, naming the holder', async () => {
  const directory = await topicIn()
  const holder = startCli(['append', 't', '-d', directory])
  holder.stdin.write('held\n')
  await outputOfFollower(directory, 'held')
  const { code, stdout, stderr } = await runCli(['append', 't', '--json', '-d', directory], { input: 'x' })
  expect(code).toBe(1)
  expect(stderr).toContain(`is held by process ${holder.pid} `)
  expect(JSON.parse(stdout).error).toMatchObject({ code: 'LOCKED', details: { path: directory } })
  holder.stdin.end()
  expect((await resultOf(holder)).code).toBe(0)
})

test('lines that come slowly are appended when they come, not when a batch is full', async () => {
  const directory = await topicIn()
  const child = startCli(['append', 't', '-d', directory])
  child.stdin.write('first\n')
  await outputOfFollower(directory, 'first')
  child.stdin.write('second\n')
  await outputOfFollower(directory, 'second')
  child.stdin.end()
  expect((await resultOf(child)).code).toBe(0)
})

test('Ctrl-C ends an append in order: what was read is appended, the log is closed, the exit code is 130', async () => {
  const directory = await topicIn()
  const child = startCli(['append', 't', '-d', directory])
  child.stdin.write('first\nsecond\n')
  await outputOfFollower(directory, 'second')
  child.kill('SIGINT')
  const { code, stderr } = await resultOf(child)
  expect({ code, stderr }).toEqual({
    code: 130,
    stderr: expect.stringMatching(/^interrupted: appended to 't': 2 records/),
  })
  expect(await recordsOf(directory)).toHaveLength(2)
})

test('after a kill -9 what is there is what came first, whole, and the next append goes on', async () => {
  const directory = await topicIn('-c', 'valueCodec=string')
  const lines = Array.from({ length: 400_000 }, (_, i) => `line ${i} ${'x'.repeat(i % 90)}`)
  writeFileSync(`${directory}.txt`, `${lines.join('\n')}\n`)
  const child = startCli(['append', 't', `${directory}.txt`, '--batch', '50', '-d', directory])
  await outputOfFollower(directory, 'line 2000 ')
  child.kill('SIGKILL')
  await resultOf(child)
  const read = (await varve(['read', 't', '--format', '%v\\n', '-d', directory])).split('\n').slice(0, -1)
  expect(read.length).toBeGreaterThan(2000)
  expect(read.length).toBeLessThan(lines.length)
  expect(read).toEqual(lines.slice(0, read.length))
  await varve(['append', 't', '-d', directory], { input: 'after' })
  const after = await recordsOf(directory, '--from', String(read.length))
  expect(after.map(({ value }) => value as unknown)).toEqual(['after'])
})

test('memory stays flat however long the input is', async () => {
  const directory = await topicIn()
  const child = startCli(['append', 't', '--flush', 'os', '-d', directory])
  const chunk = `${'x'.repeat(999)}\n`.repeat(1000)
  let peakKb = 0
  for (let i = 0; i < 300; i++) {
    if (!child.stdin.write(chunk)) await new Promise((resolve) => child.stdin.once('drain', resolve))
    if (i % 20 === 0) peakKb = Math.max(peakKb, residentKb(child.pid!))
  }
  child.stdin.end()
  expect((await resultOf(child)).code).toBe(0)
  expect(peakKb).toBeGreaterThan(0)
  expect(peakKb).toBeLessThan(250_000)
})

// reason: `script`, which makes the terminal, takes other options elsewhere
test.skipIf(process.platform !== 'linux')(
  'a terminal shows a bar with rate and time left, and ends with the summary',
  async () => {
    const directory = await topicIn()
    const { code, stdout } = await runInTerminal([
      'append',
      't',
      EARTHQUAKES,
      '--flush',
      'each',
      '-b',
      '5',
      '-d',
      directory,
    ])
    expect(code).toBe(0)
    expect(stdout).toMatch(/░+ 0%/)
    expect(stdout).toMatch(/█+░* \d+% {2}[\d.]+ [kM]B {2}[\d,]+ records {2}[\d,]+ records\/s {2}\d+s left/)
    expect(stdout).toMatch(/appended to 't': 1,707 records[^\n]*\n$/)
  },
)

/** Waits until a reader beside the writer has seen a text. */
async function outputOfFollower(directory: string, text: string): Promise<void> {
  const reader = startCli(['read', 't', '--follow', '-d', directory])
  await outputWith(reader, text)
  reader.kill('SIGINT')
  await delay(0)
}

function residentKb(pid: number): number {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 1)
  } catch {
    return 1
  }
}
