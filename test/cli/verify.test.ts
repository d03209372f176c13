import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { Varve } from '../../src/client/varve.ts'
import { EARTHQUAKES, runCli, runInTerminal, temporaryDirectory, varve } from '../helpers/run-cli.ts'

const SEGMENT = `${'0'.repeat(20)}.log`

async function earthquakes(): Promise<string> {
  const directory = temporaryDirectory()
  await varve(['append', 'q', EARTHQUAKES, '--create', '--partitions', '2', '-k', 'net', '-d', directory])
  return directory
}

function flipBit(path: string, position: number): void {
  const bytes = readFileSync(path)
  bytes[position] ^= 0x10
  writeFileSync(path, bytes)
}

test('a sound log ends with 0 and nothing on standard output', async () => {
  const directory = await earthquakes()
  const { code, stdout, stderr } = await runCli(['verify', directory])
  expect({ code, stdout }).toEqual({ code: 0, stdout: '' })
  expect(stderr).toMatch(/^'.*' is sound: 1,708 records, [\d.]+ MB read in [\d.]+ s\n$/)
})

test('a flipped bit ends with 1 and a line with file, byte, lost offsets and reason', async () => {
  const directory = await earthquakes()
  const path = `${directory}/q-1/${SEGMENT}`
  flipBit(path, 20_000)
  const { code, stdout, stderr } = await runCli(['verify', '-d', directory])
  expect(code).toBe(1)
  const [file, position, offsets, reason] = stdout.trimEnd().split('\t')
  expect({ file, reason }).toEqual({ file: path, reason: 'checksum' })
  expect(Number(position)).toBeLessThanOrEqual(20_000)
  expect(offsets).toMatch(/^\d+-\d+$/)
  expect(stderr).toContain('is damaged in 1 place')
})

test('--json is the report as one document', async () => {
  const directory = await earthquakes()
  const sound = JSON.parse(await varve(['verify', directory, '--json']))
  expect(sound).toMatchObject({
    directory,
    ok: true,
    damage: [],
    partitions: expect.arrayContaining([expect.objectContaining({ topic: 'q', partition: 1 })]),
  })
  flipBit(`${directory}/q-0/${SEGMENT}`, 100)
  const { code, stdout } = await runCli(['verify', directory, '--json'])
  expect(code).toBe(1)
  expect(JSON.parse(stdout)).toMatchObject({ ok: false, damage: [{ path: `${directory}/q-0/${SEGMENT}`, offset: 0 }] })
})

test('several damages are a line each', async () => {
  const directory = await earthquakes()
  flipBit(`${directory}/q-0/${SEGMENT}`, 100)
  rmSync(`${directory}/q-1/${SEGMENT}`)
  const { code, stdout } = await runCli(['verify', directory])
  expect(code).toBe(1)
  const files = stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t')[0])
  expect(files).toContain(`${directory}/q-0/${SEGMENT}`)
  expect(files.some((file) => file.startsWith(`${directory}/q-1`))).toBe(true)
})

test('it works beside a live writer', async () => {
  const directory = await earthquakes()
  await using log = await Varve.open({ directory })
  await log.append('q', { value: 'more' })
  expect((await runCli(['verify', directory])).code).toBe(0)
})

test('a directory that is missing ends with 3, and one that holds no log does not end with 0', async () => {
  const directory = temporaryDirectory()
  expect(await runCli(['verify', directory, '--json'])).toMatchObject({
    code: 3,
    stdout: expect.stringContaining('"NO_LOG"'),
  })
  const parent = directory.replace(/\/events$/, '')
  const { code, stderr } = await runCli(['verify', parent])
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/^varve: [^\n]*holds no log[^\n]*\n$/) })
})

// reason: `script`, which makes the terminal, takes other options elsewhere
test.skipIf(process.platform !== 'linux')('a terminal gets the partitions as well, under headings', async () => {
  const directory = await earthquakes()
  const { code, stdout } = await runInTerminal(['verify', directory])
  expect(code).toBe(0)
  expect(stdout).toMatch(/topic +partition +start +end +records +batches +segments +size\r\n/)
  expect(stdout).toMatch(/\r\nq +1 +0 +[\d,]+ +[\d,]+ +\d+ +1 +\d+ kB\r\n/)
  expect(stdout).toMatch(/is sound: [^\n]*\n$/)
})

test('two directories are one too many', async () => {
  const message = "varve: two directories are named, 'a' and, with -d, 'b': name one\n"
  expect(await runCli(['verify', 'a', '-d', 'b'])).toEqual({ code: 2, stdout: '', stderr: message })
  const one = await runCli(['verify', 'a'], { env: { VARVE_DIRECTORY: 'b' } })
  expect(one).toMatchObject({ code: 3, stderr: "varve: there is no directory 'a'\n" })
})
