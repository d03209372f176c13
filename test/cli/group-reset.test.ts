import { writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { Varve } from '../../src/client/varve.ts'
import { committedOffsets, logWithGroups, startMember } from '../helpers/cli-groups.ts'
import { runCli, runInTerminal, varve } from '../helpers/run-cli.ts'

function reset(directory: string, ...words: string[]) {
  return runCli(['group', 'reset', 'billing', ...words, '-d', directory])
}

function offsetsFile(directory: string, text: string): string {
  const path = `${directory}.csv`
  writeFileSync(path, text)
  return path
}

test('without --execute it shows what would be done, and does nothing', async () => {
  const directory = await logWithGroups({ billing: 4 })
  for (const words of [[], ['--dry-run']]) {
    expect(await reset(directory, '--to-latest', ...words)).toEqual({
      code: 0,
      stdout: 't\t0\t4\t10\nt\t1\t4\t10\n',
      stderr: 'nothing was changed: the same with --execute does it\n',
    })
  }
  expect(await committedOffsets(directory, 'billing')).toEqual([4, 4])
})

test('with --execute it is done, and --json says from where to where', async () => {
  const directory = await logWithGroups({ billing: 4 })
  const { code, stdout, stderr } = await reset(directory, '--to-latest', '--execute', '--json')
  expect({ code, stderr, plan: JSON.parse(stdout) }).toEqual({
    code: 0,
    stderr: '',
    plan: [0, 1].map((partition) => ({ topic: 't', partition, from: 4, to: 10 })),
  })
  expect(await committedOffsets(directory, 'billing')).toEqual([10, 10])
})

test.each([
  ['--to-earliest', [0, 0]],
  ['--to-latest', [10, 10]],
  ['--to-offset 7', [7, 7]],
  ['--to-offset 700', [10, 10]],
  ['--shift-by 2', [6, 6]],
  ['--shift-by +2', [6, 6]],
  ['--shift-by -3', [1, 1]],
  ['--shift-by -300', [0, 0]],
  ['--to-datetime 2026-01-31T12:05', [5, 5]],
  ['--to-datetime 2026-01-31T14:05+02:00', [5, 5]],
  ['--to-datetime 2030-01-01', [10, 10]],
  ['--to-offset 7 --topic t:1', [4, 7]],
  ['--to-offset 7 --topic t:0-1', [7, 7]],
  ['--to-offset 7 -t t:0 -t t:1', [7, 7]],
  ['--to-offset 7 --topic t', [7, 7]],
])('%s has a group at offset 4 go on at %j', async (words, expected) => {
  const directory = await logWithGroups({ billing: 4 })
  expect(await reset(directory, ...words.split(' '), '--execute')).toMatchObject({ code: 0, stderr: '' })
  expect(await committedOffsets(directory, 'billing')).toEqual(expected)
})

test('a group that there is not yet begins in the topics that are named, and in no other way', async () => {
  const directory = await logWithGroups({ archive: 1 })
  const unnamed = await reset(directory, '--to-earliest', '--execute')
  expect(unnamed).toEqual({
    code: 3,
    stdout: '',
    stderr:
      `varve: there is no group 'billing' in '${directory}' (groups there: archive): ` +
      'name the topics that it is to begin with, or correct the id\n',
  })
  const named = await reset(directory, '--to-earliest', '--topic', 't:1', '--execute')
  expect(named).toEqual({ code: 0, stdout: 't\t1\t\t0\n', stderr: '' })
})

test('a file gives an offset for each partition, parted by commas or tabs', async () => {
  const directory = await logWithGroups({ billing: 4 })
  const file = offsetsFile(directory, '\uFEFF"t", 0 , 3\r\n\r\nt\t1\t9\r\n')
  expect(await reset(directory, '--from-file', file, '--execute')).toMatchObject({
    code: 0,
    stdout: 't\t0\t4\t3\nt\t1\t4\t9\n',
  })
  expect(await committedOffsets(directory, 'billing')).toEqual([3, 9])
})

test('what `group describe` prints carries the place of one group over to another', async () => {
  const directory = await logWithGroups({ billing: 4, archive: 7 })
  const lines = (await varve(['group', 'describe', 'archive', '-d', directory])).trimEnd().split('\n')
  const cut = lines.map((line) => line.split('\t').slice(1, 4).join('\t')).join('\n')
  await reset(directory, '--from-file', offsetsFile(directory, cut), '--execute')
  expect(await committedOffsets(directory, 'billing')).toEqual([7, 7])
  // of a partition of which nothing is committed, nothing is carried over
  const file = offsetsFile(directory, 't\t0\t5\nt\t1\t')
  expect(await reset(directory, '--from-file', file, '--execute')).toMatchObject({ code: 0, stdout: 't\t0\t7\t5\n' })
})

test('a line of a file that is no offset ends with 2 and its number, and nothing is changed', async () => {
  const directory = await logWithGroups({ billing: 4 })
  const form = 'a line must be topic, partition and offset, parted by commas or tabs'
  const wrong: [string, string][] = [
    ['topic,partition,offset\nt,0,1', `:1: ${form}, not "topic,partition,offset"`],
    ['t,0,1\nt,1', `:2: ${form}, not "t,1"`],
    ['t,0,1\n\nt,1,-5', `:3: ${form}, not "t,1,-5"`],
    ['t,0,9999999999999999', `:1: ${form}`],
    ['t,0,1\nt,1,1\nt,0,2', ':3: t:0 stands in line 1 already'],
    ['\n', 'holds no offsets'],
  ]
  for (const [text, message] of wrong) {
    const file = offsetsFile(directory, text)
    const { code, stdout, stderr } = await reset(directory, '--from-file', file, '--execute')
    expect({ text, code, stdout, stderr }).toEqual({
      text,
      code: 2,
      stdout: '',
      stderr: expect.stringContaining(message),
    })
  }
  expect(await committedOffsets(directory, 'billing')).toEqual([4, 4])
})

test('a file that cannot be read ends with 1', async () => {
  const directory = await logWithGroups({ billing: 4 })
  const { code, stderr } = await reset(directory, '--from-file', `${directory}/none`)
  const message = `varve: cannot read '${directory}/none': no such file or directory\n`
  expect({ code, stderr }).toEqual({ code: 1, stderr: message })
})

test('a topic or a partition that is missing ends with 3 and the ones there are', async () => {
  const directory = await logWithGroups({ billing: 4 })
  const file = offsetsFile(directory, 'u,0,1')
  for (const words of [
    ['--to-latest', '--topic', 'u'],
    ['--to-latest', '--topic', 'u:0'],
    ['--from-file', file],
  ]) {
    const { code, stderr } = await reset(directory, ...words)
    expect({ code, stderr }).toEqual({ code: 3, stderr: expect.stringContaining("no topic 'u' in") })
    expect(stderr).toContain('(topics there: t)')
  }
  const partition = await reset(directory, '--to-latest', '--topic', 't:0,2')
  expect(partition).toMatchObject({ code: 3, stderr: "varve: topic 't' has partitions 0 to 1, not 2\n" })
  const internal = await reset(directory, '--to-latest', '--topic', '__consumer_offsets')
  expect(internal).toMatchObject({ code: 3, stdout: '' })
})

test('a command line that says not where, or more than one place, or nonsense, ends with 2', async () => {
  const directory = await logWithGroups({ billing: 4 })
  const wrong: [string[], string][] = [
    [[], 'give one of --to-earliest, --to-latest'],
    [['--to-earliest', '--to-latest'], 'give one of --to-earliest, --to-latest'],
    [['--to-offset', '1', '--from-file', 'x'], 'give one of --to-earliest, --to-latest'],
    [['--from-file', 'x', '--topic', 't'], 'a file names its topics itself: leave --topic out'],
    [['--to-offset', '-1'], 'It must be an integer of at least 0.'],
    [['--shift-by', '1.5'], 'It must be an integer.'],
    [['--to-datetime', 'yesterday'], 'It must be an ISO 8601 date or time'],
    [['--to-latest', '--topic', 't:x'], 'write orders, orders:0,2 or orders:0-3,7'],
    [['--to-latest', '--execute', '--dry-run'], "'--dry-run' cannot be used with option '--execute'"],
    [['--to-lates'], 'Did you mean --to-latest?'],
  ]
  for (const [words, message] of wrong) {
    const { code, stdout, stderr } = await reset(directory, ...words)
    expect({ words, code, stdout, stderr }).toEqual({
      words,
      code: 2,
      stdout: '',
      stderr: expect.stringContaining(message),
    })
  }
  const empty = await runCli(['group', 'reset', '', '--to-latest', '--topic', 't', '-d', directory])
  expect(empty).toMatchObject({ code: 2, stderr: "varve: the group's id is empty\n" })
})

test('beside a live writer a dry run works; --execute is refused with 1, naming the holder', async () => {
  const directory = await logWithGroups({ billing: 4 })
  await using log = await Varve.open({ directory })
  await startMember(log, 'other')
  expect(await reset(directory, '--to-earliest')).toMatchObject({ code: 0, stdout: 't\t0\t4\t0\nt\t1\t4\t0\n' })
  const { code, stdout, stderr } = await reset(directory, '--to-earliest', '--execute')
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toContain(`is held by process ${process.pid} `)
  await expect(log.resetOffsets('other', { to: 'earliest', dryRun: false })).rejects.toMatchObject({
    code: 'NON_EMPTY_GROUP',
  })
})

// reason: `script`, which makes the terminal, takes other options elsewhere
test.skipIf(process.platform !== 'linux')('a terminal gets headings, and hears that it was done', async () => {
  const directory = await logWithGroups({ billing: 4 })
  const words = ['group', 'reset', 'billing', '--to-latest', '-d', directory]
  const planned = (await runInTerminal(words)).stdout.replaceAll('\r\n', '\n')
  expect(planned).toMatch(/^topic +partition +from +to\nt +0 +4 +10\nt +1 +4 +10\nnothing was changed: /)
  const done = await runInTerminal([...words, '--execute'])
  expect(done.stdout).toMatch(/\r\ngroup 'billing' goes on there\r\n$/)
})
