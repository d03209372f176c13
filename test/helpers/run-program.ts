import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const root = new URL('../..', import.meta.url).pathname
const run = promisify(execFile)

/** What programs import: the sources here, and what this project is tested with. */
const modules: Readonly<Record<string, string>> = {
  varve: `${root}src/index.ts`,
  'varve/kafka': `${root}src/kafka/index.ts`,
  kafkajs: fileURLToPath(import.meta.resolve('kafkajs')),
}

/** Runs JavaScript as a program of its own in a new directory; gives what it prints. */
export async function runProgram(source: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'varve-program-'))
  try {
    const program = join(directory, 'program.mjs')
    await writeFile(
      program,
      source.replace(/(?<= from )'([\w/]+)'/g, (word, name: string) => quoted(modules[name]) ?? word),
    )
    const tsx = new URL(import.meta.resolve('tsx')).href
    const { stdout } = await run(process.execPath, ['--import', tsx, program], { cwd: directory, timeout: 30_000 })
    return stdout
  } finally {
    await rm(directory, { recursive: true })
  }
}

function quoted(path: string | undefined): string | undefined {
  return path === undefined ? undefined : `'${path}'`
}
