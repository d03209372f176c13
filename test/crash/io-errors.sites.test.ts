/**
 * Every call that a log makes of the storage fails, with every error, once and from then on: whoever called is told so by a
 * typed error that names the place and keeps the cause, nothing acknowledged is lost, nothing hangs or is left open, and on
 * the healthy disk the log goes on.
 */
import { describe } from 'vitest'
import { CLIENT_CHAPTERS } from '../helpers/io-chapters.clients.ts'
import { CHAPTERS } from '../helpers/io-chapters.ts'
import { errorsAt, testChapters } from '../helpers/io-campaign.ts'

const FILE = 'test/crash/io-errors.sites.test.ts'

describe('a storage call that fails', () => {
  testChapters(FILE, 'gives a typed error and loses nothing acknowledged', [...CHAPTERS, ...CLIENT_CHAPTERS], errorsAt)
})
