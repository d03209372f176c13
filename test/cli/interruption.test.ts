/** Ctrl-C in the middle of a copy: what is left is said, and never looks like a log. */
import { existsSync } from 'node:fs'
import { expect, test } from 'vitest'
import { EARTHQUAKES, runCli, temporaryDirectory, varve } from '../helpers/run-cli.ts'

/** With the exit codes that they end a command with. */
const SIGNALS = [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const

/** Has the command get a signal when it makes the first directory of a copy. */
function interruptedBy(signal: NodeJS.Signals): NodeJS.ProcessEnv {
  const source = `
    import fs from 'node:fs'
    import { syncBuiltinESMExports } from 'node:module'
    const { mkdir } = fs
    fs.mkdir = (path, ...rest) => {
      if (String(path).includes('.partial/')) process.kill(process.pid, '${signal}')
      return mkdir(path, ...rest)
    }
    syncBuiltinESMExports()`
  return { NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(source)}` }
}

async function log(): Promise<string> {
  const directory = temporaryDirectory()
  await varve(['append', 'q', EARTHQUAKES, '--create', '--partitions', '4', '-k', 'net', '-d', directory])
  return directory
}

test.each(SIGNALS)(
  'a backup that %s interrupts takes its copy away and closes the log in order',
  async (signal, code) => {
    const directory = await log()
    const target = `${directory}-copy`
    const words = ['backup', target, '-d', directory]
    expect(await runCli(words, { env: interruptedBy(signal) })).toEqual({
      code,
      stdout: '',
      stderr: `varve: interrupted: no copy is left, and '${directory}' is closed in order\n`,
    })
    expect([target, `${target}.partial`].map(existsSync)).toEqual([false, false])
    expect(JSON.parse(await varve(['topic', 'list', '--json', '-d', directory]))).toMatchObject({
      topics: [{ name: 'q' }],
    })
    expect((await runCli(words)).code).toBe(0)
  },
)

test.each(SIGNALS)('a repair that %s interrupts says what is left, and can be done again', async (signal, code) => {
  const directory = await log()
  const target = `${directory}-repaired`
  const words = ['repair', directory, '-o', `${target}/`]
  expect(await runCli(words, { env: interruptedBy(signal) })).toEqual({
    code,
    stdout: '',
    stderr: `varve: interrupted: '${target}.partial' is left, which the next one of this name takes away\n`,
  })
  expect([target, `${target}.partial`].map(existsSync)).toEqual([false, true])
  expect((await runCli(words)).code).toBe(0)
  expect([target, `${target}.partial`].map(existsSync)).toEqual([true, false])
  expect((await runCli(['verify', target])).code).toBe(0)
})
