import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { EARTHQUAKES, jsonLines, runCli, runInTerminal, temporaryDirectory, varve } from '../helpers/run-cli.ts'

async function earthquakes(partitions: number): Promise<string> {
  const directory = temporaryDirectory()
  const words = [
    'append',
    'quakes',
    EARTHQUAKES,
    '--create',
    '--partitions',
    String(partitions),
    '-k',
    'net',
    '-t',
    'time',
  ]
  await varve([...words, '-d', directory])
  return directory
}

test('a replay by time gives all that was appended, in the order it happened, and says how fast on standard error', async () => {
  const directory = await earthquakes(4)
  const { code, stdout, stderr } = await runCli(['replay', 'quakes', '--order', 'time', '--json', '-d', directory])
  expect(code).toBe(0)
  expect(stderr).toMatch(/^replayed 'quakes': 1,707 records, [\d.]+ kB in [\d.]+ s \([\d,]+ records\/s\)\n$/)
  const values = jsonLines(stdout).map(({ value }) => value as { time: number; id: string })
  const events = jsonLines(readFileSync(EARTHQUAKES, 'utf8'))
  const inOrder = (list: { time: number; id: string }[]) =>
    [...list].sort((a, b) => a.time - b.time || (a.id < b.id ? -1 : 1))
  expect(values.map(({ time }) => time)).toEqual(inOrder(values).map(({ time }) => time))
  expect(inOrder(values)).toEqual(inOrder(events))
})

test('--quiet reads everything and prints the summary alone, as JSON with --json', async () => {
  const directory = await earthquakes(2)
  const quiet = await runCli(['replay', 'quakes', '--quiet', '-d', directory])
  expect(quiet).toMatchObject({
    code: 0,
    stdout: '',
    stderr: expect.stringMatching(/^replayed 'quakes': 1,707 records/),
  })
  const json = await runCli(['replay', 'quakes', '--quiet', '--json', '--max', '7', '-d', directory])
  expect(json).toMatchObject({ code: 0, stderr: '' })
  expect(JSON.parse(json.stdout)).toMatchObject({ topic: 'quakes', records: 7, recordsPerSecond: expect.any(Number) })
})

test('a missing topic ends with 3', async () => {
  const directory = await earthquakes(1)
  const { code, stdout, stderr } = await runCli(['replay', 'quake', '-d', directory])
  expect({ code, stdout }).toEqual({ code: 3, stdout: '' })
  expect(stderr).toMatch(/^varve: there is no topic 'quake' in '.*' \(topics there: quakes\)/)
})

test('--follow is not for a replay, which ends', async () => {
  expect(await runCli(['replay', 'quakes', '--follow'])).toMatchObject({
    code: 2,
    stderr: "varve: unknown option '--follow'\n",
  })
})

// reason: `script`, which makes the terminal, takes other options elsewhere
test.skipIf(process.platform !== 'linux')(
  'a terminal shows a bar while nothing else goes there, and none between records',
  async () => {
    const directory = await earthquakes(1)
    const quiet = await runInTerminal(['replay', 'quakes', '-q', '-d', directory])
    expect(quiet.stdout).toMatch(/░+ 0%/)
    const shown = await runInTerminal(['replay', 'quakes', '-d', directory])
    expect(shown.stdout).not.toMatch(/░/)
    expect(shown.stdout).toMatch(/replayed 'quakes': 1,707 records[^\n]*\n$/)
  },
)
