import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { format, resolveConfig } from 'prettier'
import { FAULTS } from './faults.ts'
import { ROOT, type Outcome } from './workshop.ts'

/** Where the table is kept. */
export const TABLE = join(ROOT, 'docs/seeded-faults.md')

const HEAD = `# Seeded faults

A suite that finds nothing proves nothing, unless it can find something. So faults are made in the sources on purpose, one
at a time: a sync left out, an order swapped, a length trusted, a marker kept, and what others have shipped. Each of them
breaks a promise, and a test or a crash campaign says so: an expectation that failed, never a program that does not run.

\`npm run seeded-faults\` makes them all again in a copy of the checkout, writes this page, and ends with exit code 1 where
one is not found; \`-- --only <id>\` makes one. What each of them changes is in
[test/crash/seeded-faults](../test/crash/seeded-faults). Seconds count from the start of a process, three at a time on two
cores.
`

const COLUMNS =
  '| Fault | What is wrong | Stands for | Caught by | What it said | Seconds |\n| --- | --- | --- | --- | --- | --- |\n'

/** The rows of the table as it is, by fault. */
export function readRows(): Map<string, string> {
  const rows = new Map<string, string>()
  const text = readIfThere()
  for (const line of text.split('\n')) {
    const id = /^\| `([\w-]+)`/.exec(line)?.[1]
    if (id !== undefined) rows.set(id, line)
  }
  return rows
}

/** Whether a row names what caught its fault. */
export function isCaught(row: string): boolean {
  return !row.includes('**nothing**')
}

/** How long that took; Infinity without a row. */
export function secondsOf(row: string | undefined): number {
  return row === undefined ? Infinity : Number(/(\d+) +\|$/.exec(row)?.[1])
}

/** Writes the table: what was found now, and for faults that were not hunted now, what was found before. */
export async function writeTable(found: ReadonlyMap<string, Outcome>): Promise<void> {
  const before = readRows()
  const rows = FAULTS.map((fault) => {
    const outcome = found.get(fault.id)
    if (outcome === undefined) return before.get(fault.id) ?? null
    const { result, by, message, seconds } = outcome
    const caught = result === 'caught' ? `\`${by}\`` : `**nothing** (${result})`
    return row(`\`${fault.id}\``, fault.what, fault.standsFor, caught, message, `${seconds}`)
  })
  const caught = rows.filter((line) => line !== null && isCaught(line)).length
  const counts = `\n${FAULTS.length} faults, ${caught} of them caught:\n\n`
  const text = HEAD + counts + COLUMNS + rows.filter((line) => line !== null).join('\n') + '\n'
  writeFileSync(TABLE, await format(text, { ...(await resolveConfig(TABLE)), filepath: TABLE }))
}

function row(...cells: string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('*', '\\*').replaceAll('\\*\\*', '**')).join(' | ')} |`
}

function readIfThere(): string {
  try {
    return readFileSync(TABLE, 'utf8')
  } catch {
    return ''
  }
}
