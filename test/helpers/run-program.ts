import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const root = new URL('../..', import.meta.url).pathname
const run = promisify(execFile)

/** Runs JavaScript as a program of its own in a new directory, `varve` being the sources here; gives what it prints. */
export async function runProgram(source: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'varve-program-'))
  try {
    const program = join(directory, 'program.mjs')
    await writeFile(program, source.replaceAll("'varve'", `'${root}src/index.ts'`))
    const tsx = new URL(import.meta.resolve('tsx')).href
    const { stdout } = await run(process.execPath, ['--import', tsx, program], { cwd: directory, timeout: 30_000 })
    return stdout
  } finally {
    await rm(directory, { recursive: true })
  }
}
