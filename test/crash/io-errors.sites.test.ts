/**
 * Every call that a log makes of the storage fails, with every error, once and from then on: whoever called is told so by a
 * typed error that names the place and keeps the cause, nothing acknowledged is lost, nothing hangs or is left open, and on
 * the healthy disk the log goes on.
 */
import { describe } from 'vitest'
import { CLIENT_CHAPTERS } from '../helpers/io-chapters.clients.ts'
import { PRODUCED, PRODUCER_CHAPTERS } from '../helpers/io-chapters.producers.ts'
import { CHAPTERS } from '../helpers/io-chapters.ts'
import type { Call } from '../helpers/faulty-storage.ts'
import { errorsAt, testChapters } from '../helpers/io-campaign.ts'
import { DIRECTORY, type Ended } from '../helpers/io-run.ts'

const FILE = 'test/crash/io-errors.sites.test.ts'

/**
 * A group's state, for which there is room at the next try; a checkpoint that costs recovery time only where it is lacking;
 * a file that compaction has only read, or has synced; and a snapshot of what producers have sent, for which the log stands.
 */
function needsNobody({ kind, path, fault }: Call): boolean {
  if (fault === 'ENOSPC' && path.includes('/__consumer_offsets-')) return true
  const isCheckpoint = path.startsWith(`${DIRECTORY}/checkpoint-`)
  const isItsName = kind === 'syncDirectory' && `${DIRECTORY}/`.startsWith(path)
  const isSnapshot = path.includes('.snapshot') || (kind === 'syncDirectory' && path.includes(`/${PRODUCED}-0`))
  return isCheckpoint || isItsName || isSnapshot || (kind === 'close' && path.includes('/keyed-0/'))
}

function checkTold({ ledger, calls }: Ended): void {
  const failed = calls.filter(({ fault }) => fault !== undefined)
  const silent = ledger.failures.length > 0 ? undefined : failed.find((call) => !needsNobody(call))
  if (silent !== undefined) throw new Error('nobody was told')
}

describe('a storage call that fails', () => {
  const chapters = [...CHAPTERS, ...CLIENT_CHAPTERS, ...PRODUCER_CHAPTERS]
  testChapters(FILE, 'gives a typed error and loses nothing acknowledged', chapters, errorsAt, checkTold)
})
