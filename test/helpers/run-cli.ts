/**
 * Runs the command line as a user does: as a process of its own, from the sources.
 */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

export const EARTHQUAKES = fileURLToPath(new URL('../../data/earthquakes.ndjson', import.meta.url))

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

/** The words that start the command line with Node; its own follow. */
export const CLI_WORDS = ['--import', import.meta.resolve('tsx'), MAIN]

export interface CliResult {
  /** Exit code, or null after a signal. */
  code: number | null
  stdout: string
  stderr: string
}

export interface CliOptions {
  /** Default: a log directory is found nowhere by accident. */
  cwd?: string
  /** Standard input; default: none. */
  input?: string | Buffer
  env?: NodeJS.ProcessEnv
}

/** A directory for a log that does not exist yet; what is made there goes when the test is over. */
export function temporaryDirectory(): string {
  const parent = mkdtempSync(join(tmpdir(), 'varve-cli-'))
  onTestFinished(() => rmSync(parent, { recursive: true, force: true }))
  return join(parent, 'events')
}

/** Starts `varve <words>`; the test ends it at the latest. */
export function startCli(
  words: string[],
  { cwd = tmpdir(), env = {} }: CliOptions = {},
): ChildProcessWithoutNullStreams {
  const { VARVE_DIRECTORY: _, ...inherited } = process.env
  const child = spawn(process.execPath, [...CLI_WORDS, ...words], { cwd, env: { ...inherited, ...env } })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

/** Runs `varve <words>` to its end. */
export function runCli(words: string[], options: CliOptions = {}): Promise<CliResult> {
  const child = startCli(words, options)
  // a command that wants no input ends without taking it
  child.stdin.on('error', () => {})
  child.stdin.end(options.input ?? '')
  return resultOf(child)
}

/** What a started command leaves when it has ended. */
export async function resultOf(child: ChildProcessWithoutNullStreams): Promise<CliResult> {
  const stdout: Buffer[] = []
  const stderr: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk))
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  return { code, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() }
}

/** Resolves with all output so far once it holds a text. */
export function outputWith(child: ChildProcessWithoutNullStreams, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let seen = ''
    child.stdout.on('data', (chunk: Buffer) => {
      seen += chunk.toString()
      if (seen.includes(text)) resolve(seen)
    })
    child.on('close', () => reject(new Error(`ended without '${text}', after: ${seen}`)))
  })
}

/** Runs `varve <words>` in a terminal; the result's output is all that the terminal was sent. */
export function runInTerminal(words: string[], options: CliOptions = {}): Promise<CliResult> {
  const quoted = [process.execPath, ...CLI_WORDS, ...words]
    .map((word) => `'${word.replaceAll("'", "'\\''")}'`)
    .join(' ')
  const child = spawn('script', ['-qec', quoted, '/dev/null'], {
    cwd: options.cwd ?? tmpdir(),
    env: { ...process.env, TERM: 'xterm' },
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  if (options.input !== undefined) child.stdin.write(options.input)
  return resultOf(child)
}

/** Parsed JSON, of which a test expects certain members. */
// oxlint-disable-next-line typescript/no-explicit-any -- what a member is, the assertion on it says
export type Json = any

/** The lines of an output, each parsed as JSON. */
export function jsonLines(text: string): Json[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line): Json => JSON.parse(line))
}

/** Runs `varve <words>`, which must succeed, and gives its standard output. */
export async function varve(words: string[], options?: CliOptions): Promise<string> {
  const { code, stdout, stderr } = await runCli(words, options)
  if (code !== 0) throw new Error(`varve ${words.join(' ')} ended with ${code}: ${stderr}`)
  return stdout
}
