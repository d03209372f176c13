/** docs/consuming.md is true: its programs run as they are printed. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { runProgram } from '../helpers/run-program.ts'

const PAGE = readFileSync(new URL('../../docs/consuming.md', import.meta.url), 'utf8')
const [run, loop, once, exactly, moving, ...others] = [...PAGE.matchAll(/```js\n([\s\S]*?)```/g)].map(
  ([, text]) => text,
)

test('the first program handles every record, and the group is at the end', async () => {
  const output = await runProgram(run)
  expect(output.match(/^charge cust-[123]: [123]$/gm)).toHaveLength(3)
  expect(output.match(/lag: \d+/g)).toEqual(['lag: 0', 'lag: 0', 'lag: 0', 'lag: 0'])
})

test('what the loop did not commit is what the group lags behind', async () => {
  expect(await runProgram(loop)).toMatch(/committed: 200,\s+end: 250,\s+lag: 50/)
})

test('the alarm sounds once', async () => {
  expect(await runProgram(once)).toBe('siren: smoke on floor 3\n')
})

test('what comes again changes nothing for a handler that remembers where it was', async () => {
  expect(await runProgram(exactly)).toBe('once 23\nand again 23\n')
})

test('seeking, a dry run and a reset do what is said', async () => {
  const output = await runProgram(moving)
  expect(output).toMatch(/^7\n8\n9\n/)
  expect(output).toMatch(/│ 'orders' │ 0 +│ null │ 0 +│/)
  expect(output).toMatch(/committed: 10, end: 10, lag: 0/)
  expect(others).toEqual([])
})
