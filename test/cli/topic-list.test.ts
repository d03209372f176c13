import { cpSync, rmSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { Varve } from '../../src/client/varve.ts'
import { runCli, runInTerminal, temporaryDirectory, varve } from '../helpers/run-cli.ts'

test('into a pipe each topic is one line: name, partitions, records, bytes, codec and flush mode, parted by tabs', async () => {
  const directory = temporaryDirectory()
  await varve(['topic', 'create', 'b', '-p', '3', '-c', 'valueCodec=bytes', '-c', 'flush=10ms', '-d', directory])
  await varve(['append', 'a', '--create', '-d', directory], { input: 'x\ny\n' })
  const { code, stdout, stderr } = await runCli(['topic', 'list', '-d', directory])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toMatch(/^a\t1\t2\t\d+\tmsgpack\tgroup\nb\t3\t0\t0\tbytes\t10ms\n$/)
})

test('a log without topics is no error', async () => {
  const directory = temporaryDirectory()
  await (await Varve.open({ directory })).close()
  expect(await runCli(['topic', 'list', '-d', directory])).toMatchObject({
    code: 0,
    stdout: '',
    stderr: expect.stringContaining('no topics in'),
  })
  expect(JSON.parse(await varve(['topic', 'list', '--json', '-d', directory]))).toEqual({
    topics: [],
    unknownDirectories: [],
  })
})

test('it works beside a live writer and shows what that has appended', async () => {
  const directory = temporaryDirectory()
  await using log = await Varve.open({ directory })
  await log.createTopic({ name: 't' })
  await log.append('t', { value: 1 })
  const { topics } = JSON.parse(await varve(['topic', 'list', '--json', '-d', directory]))
  expect(topics).toMatchObject([{ name: 't', partitions: [{ partition: 0, logStartOffset: 0, logEndOffset: 1 }] }])
})

test('directories that belong to no topic are pointed out, with the command that takes them over', async () => {
  const directory = temporaryDirectory()
  await varve(['append', 't', '--create', '-d', directory], { input: 'x' })
  cpSync(`${directory}/t-0`, `${directory}/lost-0`, { recursive: true })
  const { code, stderr } = await runCli(['topic', 'list', '-d', directory])
  expect(code).toBe(0)
  expect(stderr).toContain(
    `directories of a topic 'lost' are not in the catalog: \`varve topic adopt lost -d ${directory}\` takes them over`,
  )
  const { unknownDirectories } = JSON.parse(await varve(['topic', 'list', '--json', '-d', directory]))
  expect(unknownDirectories).toMatchObject([{ topic: 'lost', partition: 0, path: `${directory}/lost-0` }])
})

test('a log whose catalog is gone is no place for a new one: it says what saves it, and changes nothing', async () => {
  const directory = temporaryDirectory()
  await varve(['append', 't', '--create', '-d', directory], { input: 'x' })
  rmSync(`${directory}/__varve_catalog-0`, { recursive: true })
  const message =
    `the log in '${directory}' has lost its catalog of topics: restore '${directory}/__varve_catalog-0' from a copy, ` +
    `save the log with \`varve repair -d ${directory} --output <new directory>\`, or take it over with ` +
    `\`varve topic adopt <topic> -d ${directory}\`, for each topic and for __consumer_offsets`
  for (const words of [
    ['topic', 'list'],
    ['read', 't'],
    ['append', 't'],
    ['group', 'list'],
    ['backup', `${directory}-b`],
  ])
    expect(await runCli([...words, '-d', directory])).toEqual({ code: 1, stdout: '', stderr: `varve: ${message}\n` })
  const json = await runCli(['topic', 'list', '-d', directory, '--json'])
  expect(JSON.parse(json.stdout)).toMatchObject({ error: { code: 'NO_CATALOG', message } })
  // checkpoints that cannot be read tell of a log, too
  for (const name of ['checkpoint-a', 'checkpoint-b']) writeFileSync(`${directory}/${name}`, 'x')
  expect(await runCli(['topic', 'list', '-d', directory])).toMatchObject({ code: 1, stderr: `varve: ${message}\n` })
  await varve(['topic', 'adopt', 't', '-d', directory])
  expect(await varve(['topic', 'list', '-d', directory])).toMatch(/^t\t1\t1\t/)
})

// reason: `script`, which makes the terminal, takes other options elsewhere
test.skipIf(process.platform !== 'linux')('a terminal gets headings and numbers that stand to the right', async () => {
  const directory = temporaryDirectory()
  await varve(['append', 'numbers', '--create', '-d', directory], { input: '1\n'.repeat(1234) })
  const { stdout } = await runInTerminal(['topic', 'list', '-d', directory])
  const [head, row] = stdout.replaceAll('\r\n', '\n').split('\n')
  expect(head).toMatch(/^topic +partitions {2}records +size {2}values +flush$/)
  expect(row).toMatch(/^numbers +1 +1,234 +[\d.]+ kB {2}msgpack {2}group$/)
  expect(head.indexOf('records') + 'records'.length).toBe(row.indexOf('1,234') + '1,234'.length)
})
