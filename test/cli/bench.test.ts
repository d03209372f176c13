import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { runCli, startCli, resultOf, temporaryDirectory } from '../helpers/run-cli.ts'

function newDirectory(): string {
  const directory = temporaryDirectory()
  mkdirSync(directory)
  return directory
}

test('a picture that cannot be written is refused at once, naming it, before anything is measured', async () => {
  const directory = newDirectory()
  writeFileSync(`${directory}/file`, '')
  const cases = [
    [`${directory}/no/picture.svg`, 'no such file or directory'],
    [`${directory}/file/picture.svg`, 'not a directory'],
    [directory, 'illegal operation on a directory'],
  ]
  for (const [path, reason] of cases) {
    const { code, stdout, stderr } = await runCli(['bench', '-s', '3600', '-d', directory, '--svg', path])
    expect({ code, stdout, stderr }).toEqual({
      code: 1,
      stdout: '',
      stderr: `varve: cannot write '${path}': ${reason}\n`,
    })
  }
  expect(readdirSync(directory)).toEqual(['file'])
})

test('an interrupted comparison leaves no picture behind that was not there', async () => {
  const directory = newDirectory()
  const picture = `${directory}/picture.svg`
  const child = startCli(['bench', '-s', '3600', '-d', directory, '--svg', picture])
  const isMeasuring = () => readdirSync(directory).some((name) => name !== 'picture.svg')
  while (!isMeasuring()) await new Promise((resolve) => setTimeout(resolve, 20))
  child.kill('SIGINT')
  expect((await resultOf(child)).code).toBe(130)
  expect(existsSync(picture)).toBe(false)
})
