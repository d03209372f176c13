import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { expect, test } from 'vitest'
import { Varve } from '../../src/index.ts'
import { EARTHQUAKES, runCli, temporaryDirectory, varve } from '../helpers/run-cli.ts'

const SEGMENT = `${'0'.repeat(20)}.log`

async function damaged(): Promise<string> {
  const directory = temporaryDirectory()
  await varve(['append', 'q', EARTHQUAKES, '--create', '--partitions', '2', '-k', 'net', '-d', directory])
  const path = `${directory}/q-1/${SEGMENT}`
  const bytes = readFileSync(path)
  bytes[20_000] ^= 0x10
  writeFileSync(path, bytes)
  return directory
}

/** Every file below a directory with its bytes, and what stands beside the directory under a longer name. */
function contentOf(directory: string): [string, string][] {
  const below = readdirSync(directory, { recursive: true, withFileTypes: true })
  const files = below.filter((entry) => entry.isFile()).map(({ parentPath, name }) => `${parentPath}/${name}`)
  const beside = readdirSync(dirname(directory)).filter((name) => name.startsWith(`${basename(directory)}-`))
  return [
    ...files.sort().map((path): [string, string] => [path, readFileSync(path).toString('hex')]),
    ...beside.map((name): [string, string] => [name, '']),
  ]
}

test('a dry run says what is lost and writes nothing; a repair saves the rest, and is sound', async () => {
  const directory = await damaged()
  const target = `${directory}-repaired`
  const before = contentOf(directory)
  const dry = await runCli(['repair', directory, '--dry-run', '--output', target])
  expect(contentOf(directory)).toEqual(before)
  const [topic, partition, offsets, file, position, bytes, reason] = dry.stdout.trimEnd().split('\t')
  expect([dry.code, topic, partition, file, reason]).toEqual([1, 'q', '1', `${directory}/q-1/${SEGMENT}`, 'checksum'])
  const [first, last] = offsets.split('-').map(Number)
  expect([Number(position) < 20_000, Number(bytes) > 0, last >= first]).toEqual([true, true, true])
  const count = 1707 - (last - first + 1)
  const figures = `${count.toLocaleString('en-US')} records of 2 partitions`
  expect(dry.stderr).toContain(`${figures}, `)
  expect(dry.stderr).toContain(`of '${directory}' can be saved`)
  const real = await runCli(['repair', '-d', directory, '--output', target])
  expect(contentOf(directory)).toEqual([...before, [basename(target), '']])
  expect([real.code, real.stdout]).toEqual([1, dry.stdout])
  expect(real.stderr).toContain(`saved in '${target}'`)
  expect((await runCli(['verify', target])).code).toBe(0)
  expect((await varve(['read', 'q', '--json', '-d', target])).trimEnd().split('\n')).toHaveLength(count)
  const again = JSON.parse((await runCli(['repair', target, '--dry-run', '--json'])).stdout)
  expect(again).toMatchObject({ ok: true, output: null, guessedTopics: [], leftOut: [] })
})

test('a log without catalog and checkpoints comes back, with its topics named', async () => {
  const directory = await damaged()
  for (const name of ['checkpoint-a', 'checkpoint-b', '__varve_catalog-0'])
    rmSync(`${directory}/${name}`, { recursive: true })
  const target = `${directory}-repaired`
  const { code, stderr } = await runCli(['repair', directory, '-o', target])
  expect(code).toBe(1)
  expect(stderr).toContain("no catalog tells of topic 'q' any more")
  await varve(['topic', 'alter', 'q', '-c', 'valueCodec=json', '-d', target])
  expect(await varve(['read', 'q', '--max', '1', '--json', '-d', target])).toContain('"offset":0')
})

test('a damaged catalog is told, and exit code 1', async () => {
  const directory = await damaged()
  await varve(['topic', 'alter', 'q', '-c', 'retentionMs=-1', '-d', directory])
  const path = `${directory}/__varve_catalog-0/${SEGMENT}`
  const bytes = readFileSync(path)
  bytes[bytes.length - 5] ^= 1
  writeFileSync(path, bytes)
  const { code, stderr } = await runCli(['repair', directory, '--dry-run'])
  expect(code).toBe(1)
  expect(stderr).toMatch(/note: '.*__varve_catalog-0.*' is damaged at byte \d+: checksum/)
  expect(stderr).toContain('note: configurations of topics may be older (q): retentionMs and retentionBytes are -1')
})

test('where it cannot go, or nothing is, nothing is done', async () => {
  const directory = await damaged()
  const codes = [
    ['repair', directory],
    ['repair', directory, '--output', `${directory}/inside`],
    ['repair', directory, '--output', directory],
    ['repair', `${directory}-nowhere`, '--dry-run'],
  ].map(async (words) => (await runCli(words)).code)
  expect(await Promise.all(codes)).toEqual([2, 2, 2, 3])
})

test('a directory that holds something already is not written to, and may be empty', async () => {
  const directory = await damaged()
  const target = `${directory}-repaired`
  mkdirSync(target)
  writeFileSync(`${target}/notes`, 'mine')
  const refused = await runCli(['repair', directory, '--output', target])
  expect([refused.code, refused.stdout]).toEqual([1, ''])
  expect(refused.stderr).toContain('is not empty: name a directory')
  expect(contentOf(target)).toEqual([[`${target}/notes`, expect.any(String)]])
  expect(existsSync(`${target}.partial`)).toBe(false)
  rmSync(`${target}/notes`)
  const { code, stdout } = await runCli(['repair', directory, '--output', target, '--json'])
  const report = JSON.parse(stdout)
  expect([code, report.ok, report.output]).toEqual([1, false, target])
  expect(report.partitions.map(({ lost }: { lost: unknown[] }) => lost.length)).toEqual([0, 1])
})

test('two directories are one too many', async () => {
  const message = "varve: two directories are named, 'a' and, with -d, 'b': name one\n"
  expect(await runCli(['repair', 'a', '-d', 'b', '--dry-run'])).toEqual({ code: 2, stdout: '', stderr: message })
  const one = await runCli(['repair', 'a', '--dry-run'], { env: { VARVE_DIRECTORY: 'b' } })
  expect(one).toMatchObject({ code: 3, stderr: "varve: there is no directory 'a'\n" })
})

test('a log that a program writes is not repaired: it is said who holds it', async () => {
  const directory = temporaryDirectory()
  const target = `${directory}-repaired`
  const log = await Varve.open({ directory })
  try {
    const { code, stderr } = await runCli(['repair', directory, '--output', target])
    expect([code, existsSync(target)]).toEqual([1, false])
    expect(stderr).toContain(`process ${process.pid}`)
    expect((await runCli(['repair', directory, '--dry-run'])).code).toBe(0)
  } finally {
    await log.close()
  }
})
