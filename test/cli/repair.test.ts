import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
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

test('a dry run says what is lost and writes nothing; a repair saves the rest, and is sound', async () => {
  const directory = await damaged()
  const target = `${directory}-repaired`
  const dry = await runCli(['repair', directory, '--dry-run'])
  const [topic, partition, offsets, file, position, bytes, reason] = dry.stdout.trimEnd().split('\t')
  expect([dry.code, topic, partition, file, reason]).toEqual([1, 'q', '1', `${directory}/q-1/${SEGMENT}`, 'checksum'])
  const [first, last] = offsets.split('-').map(Number)
  expect([Number(position) < 20_000, Number(bytes) > 0, last >= first]).toEqual([true, true, true])
  const count = 1707 - (last - first + 1)
  const figures = `${count.toLocaleString('en-US')} records of 2 partitions`
  expect(dry.stderr).toContain(`${figures}, `)
  expect(dry.stderr).toContain(`of '${directory}' can be saved`)
  expect(existsSync(target)).toBe(false)
  const real = await runCli(['repair', '-d', directory, '--output', target])
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
