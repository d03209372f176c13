/**
 * A sync that fails, on file systems as they are: the pages count as clean, and the next sync succeeds without writing
 * them. Nothing is acknowledged by that sync or a later one, and what is found in the page cache afterwards is written and
 * synced again before it is trusted.
 */
import { describe, expect, test } from 'vitest'
import { CLIENT_CHAPTERS } from '../helpers/io-chapters.clients.ts'
import { PRODUCER_CHAPTERS } from '../helpers/io-chapters.producers.ts'
import { CHAPTERS } from '../helpers/io-chapters.ts'
import { FILE_SYSTEMS, runWithFailedSync } from '../helpers/failed-syncs.ts'

/** `SYNC_CASE=<file system>/<chapter>/<sync>` runs one case only. */
const ONLY = process.env['SYNC_CASE']

/** The sync that `only` names, or Infinity where it is one of another file system or chapter. */
function startOf(only: string, prefix: string): number {
  return only.startsWith(prefix) ? Number(only.slice(prefix.length)) : Infinity
}

describe.each(FILE_SYSTEMS)('after a sync that fails on %s', (fileSystem) => {
  test.each([...CHAPTERS, ...CLIENT_CHAPTERS, ...PRODUCER_CHAPTERS].map((chapter) => [chapter.name, chapter] as const))(
    'no acknowledgement is false, and a reopened log shows only what is durable: %s',
    { timeout: 300_000 },
    async (name, chapter) => {
      const start = await chapter.prepare()
      const failures: string[] = []
      let [failed, syncs] = [0, Infinity]
      const first = ONLY === undefined ? 0 : startOf(ONLY, `${fileSystem}/${name}/`)
      for (let at = first; at < syncs; at++) {
        const which = `${fileSystem}/${name}/${at}`
        if (ONLY !== undefined && ONLY !== which) break
        try {
          const ended = await runWithFailedSync(chapter, start, at, fileSystem)
          if (!ended.hasFailed) syncs = Math.min(syncs, ended.syncs)
          else failed++
        } catch (error) {
          if (ONLY !== undefined) throw error
          failures.push(
            `${String(error)}\n  repeat with SYNC_CASE='${which}' npx vitest run test/crash/io-errors.fsync.test.ts`,
          )
        }
      }
      console.log(`${fileSystem}, ${name}: ${failed} syncs failed`)
      expect(failures.slice(0, 5)).toEqual([])
    },
  )
})
