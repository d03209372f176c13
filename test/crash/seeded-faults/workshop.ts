import { execFile, type ChildProcess } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { CampaignHunt, Hunt, SeededFault, TestHunt } from './fault.ts'

/** The checkout that this file is part of. */
export const ROOT = fileURLToPath(new URL('../../..', import.meta.url))

const COPIED = ['src', 'test', 'scripts', 'package.json', 'tsconfig.json', 'vitest.config.ts']
const INSTALLED = 'node_modules'
const CAMPAIGN_CHILD = 'test/crash/seeded-faults/campaign-child.ts'
/** Longer than any hunt takes on a busy machine: what has not ended by then hangs. */
const LIMIT_MS = 300_000
/** Programs that do not even run find no broken promise. */
const NO_PROMISE =
  /is not a function|is not defined|is not iterable|Cannot read properties|SyntaxError|Transform failed|Cannot find module/
const MESSAGE_CHARACTERS = 150

/** What one hunt came to. */
export interface Outcome {
  /** `'held'`: nothing found. `'unfit'`: it ended, but by no promise. `'hung'`: it did not end. */
  result: 'caught' | 'held' | 'unfit' | 'hung'
  /** The test that failed, or the command that repeats the state. */
  by: string
  /** The first line of what it said. */
  message: string
  seconds: number
}

interface Ended {
  code: number | null
  stdout: string
  stderr: string
  isHung: boolean
}

/** A copy of the checkout in which faults are made, one at a time, and hunted; the checkout itself is left alone. */
export class Workshop {
  private readonly directory = mkdtempSync(join(tmpdir(), 'varve-seeded-faults-'))
  private child: ChildProcess | null = null

  constructor() {
    for (const name of COPIED) {
      cpSync(join(ROOT, name), join(this.directory, name), {
        recursive: true,
        filter: (path) => !path.endsWith(INSTALLED),
      })
    }
    symlinkSync(join(ROOT, INSTALLED), join(this.directory, INSTALLED), 'junction')
  }

  /** Runs the hunts in the source as it is, or with one fault in it, until one of them finds something. */
  async hunt(hunts: readonly Hunt[], fault?: SeededFault): Promise<Outcome> {
    const path = join(this.directory, fault?.file ?? '')
    const source = fault === undefined ? '' : readFileSync(path, 'utf8')
    if (fault !== undefined) writeFileSync(path, withFault(source, fault))
    try {
      let last: Outcome = { result: 'held', by: '', message: '', seconds: 0 }
      for (const one of hunts) {
        last = await ('test' in one ? this.runTest(one) : this.runCampaign(one))
        if (last.result === 'caught') break
      }
      return last
    } finally {
      if (fault !== undefined) writeFileSync(path, source)
    }
  }

  /** Ends the hunt that is under way, and takes the copy away. */
  close(): void {
    this.child?.kill()
    rmSync(this.directory, { recursive: true, force: true })
  }

  private async runCampaign({ campaign, mode, states }: CampaignHunt): Promise<Outcome> {
    const started = performance.now()
    const ended = await this.run(['--import', 'tsx', CAMPAIGN_CHILD, campaign, mode, `${states}`])
    const repeat = /^repeat with (npm run crash .*)$/m.exec(ended.stderr)?.[1]
    return this.outcome(ended, started, repeat ?? '', ended.stderr, repeat !== undefined)
  }

  private async runTest({ test, name }: TestHunt): Promise<Outcome> {
    const started = performance.now()
    const named = name === undefined ? [] : ['-t', name.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')]
    const command = ['node_modules/vitest/vitest.mjs', 'run', test, '--bail=1', '--reporter=json', ...named]
    const ended = await this.run(command)
    const report = ended.stdout.slice(Math.max(ended.stdout.indexOf('{"numTotalTestSuites"'), 0))
    const failure = firstFailure(report)
    if (failure === null) return this.outcome(ended, started, '', ended.stderr || ended.stdout, false)
    const by = `${test.replace(/^test\//, '')}: ${failure.name}`
    return this.outcome(ended, started, by, failure.message, !failure.message.includes('Test timed out'))
  }

  private outcome(ended: Ended, started: number, by: string, text: string, isPromise: boolean): Outcome {
    const seconds = Math.ceil((performance.now() - started) / 1000)
    const message = text.split('\n')[0].replaceAll(this.directory, '').slice(0, MESSAGE_CHARACTERS).trim()
    if (ended.isHung) return { result: 'hung', by, message: 'does not end', seconds }
    if (ended.code === 0) return { result: 'held', by: '', message: '', seconds }
    return { result: isPromise && !NO_PROMISE.test(message) ? 'caught' : 'unfit', by, message, seconds }
  }

  private run(args: string[]): Promise<Ended> {
    // a test that runs this must not pass on what its own runner has set; the same seed repeats a random test
    const own = Object.entries(process.env).filter(
      ([name]) => !/^(VITEST|NODE_OPTIONS|NODE_ENV|FORCE_COLOR)/.test(name),
    )
    const env = { ...Object.fromEntries(own), VARVE_SEED: '1', NO_COLOR: '1' }
    const options = { cwd: this.directory, env, timeout: LIMIT_MS, maxBuffer: 2 ** 28 }
    return new Promise((resolve) => {
      this.child = execFile(process.execPath, args, options, (error, stdout, stderr) => {
        this.child = null
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : null
        resolve({ code, stdout, stderr, isHung: error?.killed === true })
      })
    })
  }
}

/** A source with a fault in it. */
export function withFault(source: string, { id, file, find, replace }: SeededFault): string {
  const parts = source.split(find)
  if (parts.length !== 2)
    throw new Error(`${id}: what it replaces stands ${parts.length - 1} times in ${file}, not once`)
  return parts.join(replace)
}

interface TestReport {
  testResults: { assertionResults: { status: string; fullName: string; failureMessages: string[] }[] }[]
}

/** The first test that failed by what it expects; null where none did. */
function firstFailure(report: string): { name: string; message: string } | null {
  if (!report.startsWith('{')) return null
  const { testResults } = JSON.parse(report.slice(0, report.lastIndexOf('}') + 1)) as TestReport
  for (const { status, fullName, failureMessages } of testResults.flatMap((file) => file.assertionResults))
    if (status === 'failed') return { name: fullName, message: failureMessages[0] ?? '' }
  return null
}
