import { execFile, execFileSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import type { Found, Job } from './job.ts'

/**
 * Jobs run compiled code, because the loader that compiles on the fly needs time and memory itself. Varve is compiled
 * to a place outside this package, so that it finds the root's dependencies and not another version of them here.
 */
const HERE = fileURLToPath(new URL('.', import.meta.url))
const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const CHILD = `${HERE}dist/bench/compare/child.js`
const VARVE_DIRECTORY = `${ROOT}bench/.data/varve`
const COMPILER = fileURLToPath(import.meta.resolve('typescript/package.json').replace(/package\.json$/, 'bin/tsc'))
const JOB_MS_MAX = 120_000

const run = promisify(execFile)

/** Installs the peers where the lockfile is newer than what is installed. */
export function installPeers(): void {
  const installed = `${HERE}node_modules/.package-lock.json`
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(`${HERE}package-lock.json`).mtimeMs) return
  console.error('installing what is compared (npm ci in bench/compare)')
  execFileSync('npm', ['ci'], { cwd: HERE, stdio: ['ignore', 2, 2], shell: process.platform === 'win32' })
}

/** Compiles what the jobs run. Types are checked elsewhere, and a peer that is not installed has none. */
export async function compile(): Promise<void> {
  const toPlainScript = ['--noCheck', '--sourceMap', 'false', '--inlineSources', 'false', '--declaration', 'false']
  const words = (project: string, outDir: string) => [COMPILER, '-p', project, '--outDir', outDir, ...toPlainScript]
  await run(process.execPath, words(`${ROOT}tsconfig.build.json`, VARVE_DIRECTORY))
  await run(process.execPath, words(`${HERE}tsconfig.json`, `${HERE}dist`))
}

/** The command that does a job. */
export function commandOf(job: Omit<Job, 'varveUrl'>): string[] {
  const varveUrl = pathToFileURL(`${VARVE_DIRECTORY}/index.js`).href
  return [process.execPath, CHILD, JSON.stringify({ ...job, varveUrl } satisfies Job)]
}

/** Does a job in a process of its own. An error's message is what the process said last. */
export async function runJob(job: Omit<Job, 'varveUrl'>, prefix: string[] = []): Promise<Found> {
  const [command, ...words] = [...prefix, ...commandOf(job)]
  try {
    const { stdout } = await run(command, words, { timeout: JOB_MS_MAX, killSignal: 'SIGKILL' })
    return JSON.parse(stdout) as Found
  } catch (error) {
    const { stderr = '', killed, message } = error as Error & { stderr?: string; killed?: boolean }
    if (killed === true) throw new Error(`took longer than ${JOB_MS_MAX / 1000} s`, { cause: error })
    const line = /^.*Error.*$/m.exec(stderr)?.[0] ?? stderr.trim().split('\n').at(-1)
    // what is committed must not name directories of this machine
    throw new Error((line || message).replaceAll(ROOT, ''), { cause: error })
  }
}
