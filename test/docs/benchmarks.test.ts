/** docs/benchmarks.md is true: it names every workload and every command, and its pictures exist. */
import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { suite } from '../../bench/workloads.ts'

const ROOT = new URL('../../', import.meta.url)
const PAGE = readFileSync(new URL('docs/benchmarks.md', ROOT), 'utf8')

test('every workload is explained', () => {
  const { usual, onDemand } = suite({ smoke: true })
  const names = [...new Set([...usual, ...onDemand].map(({ name }) => name.replace(/-killed$/, '')))]
  expect(names.filter((name) => !PAGE.includes(name))).toEqual([])
})

test('every command exists', () => {
  const { scripts } = JSON.parse(readFileSync(new URL('package.json', ROOT), 'utf8')) as { scripts: object }
  const commands = [...PAGE.matchAll(/npm run (bench[:\w]*)/g)].map(([, name]) => name)
  expect(commands.filter((name) => !(name in scripts))).toEqual([])
  expect(commands.length).toBeGreaterThan(5)
})

test('every picture and page that it links to exists', () => {
  const links = [...PAGE.matchAll(/\]\(([\w./-]+)\)/g)].map(([, path]) => path)
  expect(links.filter((path) => !existsSync(new URL(`docs/${path}`, ROOT)))).toEqual([])
  expect(links.length).toBeGreaterThan(3)
})
