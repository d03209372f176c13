/** What `npm run crash` refuses, so that nobody takes a run that tried nothing, or something else, for one that held. */
import { execFile } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const SCRIPT = fileURLToPath(new URL('../../scripts/crash.ts', import.meta.url))

function crash(words: string): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, ['--import', 'tsx', SCRIPT, ...words.split(' ')], (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), output: stdout + stderr })
    })
  })
}

const most = 2 * availableParallelism()
const oneRun = '--campaign power-cut --seed 1'

test.each([
  ['--state 3 --campaign power-cut', '--state is one of a run: name that with --seed'],
  ['--seed 1', '--seed is of one run: name one --campaign'],
  ['--seed 1 --campaign power-cut orders', '--seed is of one run: name one --campaign'],
  [`${oneRun} --states 5`, "'--seed <n>' cannot be used with option '--states <n>'"],
  [`${oneRun} --mode each`, "'--seed <n>' cannot be used with option '--mode <names...>'"],
  [`${oneRun} --state 0`, 'It must be a whole number, 1 or more.'],
  ['--states 0', 'It must be a whole number, 1 or more.'],
  ['--states 1e3', 'It must be a whole number, 1 or more.'],
  ['--workers 0', `It must be a whole number, from 1 to ${most}.`],
  [`--workers ${most + 1}`, `It must be a whole number, from 1 to ${most}.`],
  ['--seed 4294967296', 'It must be a whole number, from 0 to 4294967295.'],
  ['--campaign power-cut elsewhere', 'Allowed choices are power-cut'],
  ['--states 5 more', 'too many arguments'],
])('npm run crash -- %s is an error that says why', async (words, reason) => {
  const { code, output } = await crash(words)
  expect({ code, output }).toEqual({ code: 1, output: expect.stringContaining(reason) })
})

test('npm run crash says that there is no such state, with exit code 1; one that is there is tried alone', async () => {
  expect(await crash(`${oneRun} --state 1000000`)).toEqual({
    code: 1,
    output: 'there is no such state: power-cut, seed 1, state 1000000\n',
  })
  expect(await crash(`${oneRun} --state 1`)).toEqual({
    code: 0,
    output: 'power-cut, seed 1: 1 states, every promise held\n',
  })
})
