/** Runs every chapter with every trouble at every call, and says how to repeat what went wrong. */
import { test } from 'vitest'
import { CALL_KINDS, type Call, type CallKind } from './faulty-storage.ts'
import { runChapter, type Chapter, type Ended, type Trouble } from './io-run.ts'
import { SeededRandom } from './seeded-random.ts'

/** `IO_CASE=<chapter>/<error>/<once|sticky>/<call>` runs one case only. */
const ONLY = process.env['IO_CASE']
/** Of the errors that last, so many are made, drawn anew in each run: `IO_SHARE=1` makes all. */
const SHARE = ONLY === undefined ? Number(process.env['IO_SHARE'] ?? 0.5) : 1
const FAILURES_SHOWN = 5

const OPENING: readonly CallKind[] = ['open', 'create', 'list', 'readFile', 'syncDirectory', 'lockDirectory']
const CHANGING: readonly CallKind[] = ['create', 'makeDirectory', 'rename', 'removeFile', 'removeDirectory']
/** The calls that the system itself may refuse with these. */
const REFUSED: { [code: string]: readonly CallKind[] | undefined } = {
  EMFILE: OPENING,
  EACCES: [...OPENING, ...CHANGING],
  EROFS: ['open', ...CHANGING],
  EIO: CALL_KINDS,
  ENOSPC: CALL_KINDS,
}

export const CODES = Object.keys(REFUSED)

/**
 * Every error at every call: once, whether or not the system would give it there, and from then on where it would, of these
 * as many as `IO_SHARE` says.
 */
export function errorsAt(calls: readonly Call[]): Trouble[] {
  const random = new SeededRandom()
  return calls.flatMap(({ kind, index }) =>
    CODES.flatMap((code) => {
      const once = { call: index, sticky: false, kind: code }
      const isTried = REFUSED[code]!.includes(kind) && random.chance(SHARE)
      return isTried ? [once, { ...once, sticky: true }] : [once]
    }),
  )
}

/** Every read and write that does one byte or half; and from each on, all that do one byte. */
export function shortCallsAt(calls: readonly Call[]): Trouble[] {
  const moving = calls.filter(({ kind }) => kind === 'read' || kind === 'write')
  return moving.flatMap(({ index }) => [
    { call: index, sticky: false, kind: 'short 1' },
    { call: index, sticky: false, kind: 'short half' },
    { call: index, sticky: true, kind: 'short 1' },
  ])
}

/**
 * One test for each chapter.
 *
 * @param file  that these tests are in
 * @param check what must hold beside what holds in every run
 */
export function testChapters(
  file: string,
  promise: string,
  chapters: readonly Chapter[],
  troublesAt: (calls: readonly Call[]) => Trouble[],
  check: (ended: Ended, healthy: Ended) => void = () => {},
): void {
  test.each(chapters.map((chapter) => [chapter.name, chapter] as const))(
    `${promise}: %s`,
    { timeout: 1_200_000 },
    async (name, chapter) => {
      const start = await chapter.prepare()
      const healthy = await runChapter(chapter, start, null)
      const troubles = troublesAt(healthy.calls).filter(
        (trouble) => ONLY === undefined || ONLY === caseOf(name, trouble),
      )
      const failures: string[] = []
      let told = 0
      // thousands of errors are made, and nobody looks where
      const { stackTraceLimit } = Error
      if (ONLY === undefined) Error.stackTraceLimit = 0
      for (const trouble of troubles) {
        try {
          const ended = await runChapter(chapter, start, trouble)
          if (ended.ledger.failures.length > 0) told += 1
          check(ended, healthy)
        } catch (error) {
          const { kind, path } = healthy.calls[trouble.call]
          const repeat = `IO_CASE='${caseOf(name, trouble)}' npx vitest run ${file}`
          failures.push(`${kind} ${path}: ${String(error)}\n  repeat with ${repeat}`)
          if (ONLY !== undefined) throw error
        }
      }
      Error.stackTraceLimit = stackTraceLimit
      console.log(`${name}: ${troubles.length} runs over ${healthy.calls.length} calls, ${told} told their caller`)
      const rest = failures.length - FAILURES_SHOWN
      const shown = failures.slice(0, FAILURES_SHOWN).join('\n')
      if (failures.length > 0) throw new Error(rest > 0 ? `${shown}\n... and ${rest} more` : shown)
    },
  )
}

function caseOf(chapter: string, { kind, sticky, call }: Trouble): string {
  return `${chapter}/${kind}/${sticky ? 'sticky' : 'once'}/${call}`
}
