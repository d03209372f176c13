/** Reads and writes that do less than they are asked for, as the system may: nobody notices but by the time that it takes. */
import { describe, expect } from 'vitest'
import { CLIENT_CHAPTERS } from '../helpers/io-chapters.clients.ts'
import { PRODUCER_CHAPTERS } from '../helpers/io-chapters.producers.ts'
import { CHAPTERS } from '../helpers/io-chapters.ts'
import { shortCallsAt, testChapters } from '../helpers/io-campaign.ts'

const FILE = 'test/crash/io-errors.short.test.ts'

describe('a read or a write that falls short', () => {
  testChapters(
    FILE,
    'changes nothing',
    [...CHAPTERS, ...CLIENT_CHAPTERS, ...PRODUCER_CHAPTERS],
    shortCallsAt,
    (ended, healthy) => {
      expect(ended.ledger.results).toEqual(healthy.ledger.results)
    },
  )
})
