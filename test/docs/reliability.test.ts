/** docs/reliability.md names commands, tests and pages: they are there. */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { MODES } from '../crash/campaigns/campaign.ts'
import { CAMPAIGNS } from '../crash/campaigns/campaigns.ts'

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..')
const page = readFileSync(join(ROOT, 'docs/reliability.md'), 'utf8')

function all(pattern: RegExp): string[] {
  return [...page.matchAll(pattern)].map(([, found]) => found)
}

test('every command that it gives runs something', () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: object }
  const named = all(/`npm run ([\w:-]+)/g)
  expect(named.length).toBeGreaterThan(5)
  for (const name of named) expect(Object.keys(scripts)).toContain(name)
  const files = all(/npx vitest run ([\w/.-]+)/g)
  expect(files.length).toBeGreaterThan(2)
  for (const file of files) expect(existsSync(join(ROOT, file)), file).toBe(true)
  for (const name of all(/--campaign ([\w-]+)/g)) expect([...CAMPAIGNS.keys()]).toContain(name)
  for (const name of all(/--mode ([\w-]+)/g)) expect([...MODES.keys()]).toContain(name)
})

test('every environment variable in a command is one that the test beside it reads', () => {
  for (const [, variable, file] of page.matchAll(/`([A-Z_]+)=\S+ npx vitest run ([\w/.-]+)/g)) {
    expect(readFileSync(join(ROOT, file), 'utf8'), `${file} reads ${variable}`).toContain(variable)
  }
})

test('every page that it links to is there', () => {
  for (const link of all(/\]\(([^)#]+)\)/g)) expect(existsSync(join(ROOT, 'docs', link)), link).toBe(true)
})
