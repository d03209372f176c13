import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { TimeIndex, type TimestampOffset } from '../../src/storage/time-index.ts'

const BASE = 5_000_000_000
const NOW = 1_700_000_000_000

/** What a segment offers the index, in the order of offsets; timestamps in any order, some of them before 1970. */
const offered = fc
  .array(fc.record({ step: fc.integer({ min: 1, max: 50 }), timestamp: fc.integer({ min: -1000, max: 1000 }) }))
  .map((steps) => {
    let offset = BASE - 1
    return steps.map(({ step, timestamp }) => ({ timestamp, offset: (offset += step) }))
  })

/** Those that the index takes: only ever greater timestamps. */
function taken(offers: readonly TimestampOffset[]): TimestampOffset[] {
  let greatest = -Infinity
  return offers.filter(({ timestamp }) => timestamp > greatest && ((greatest = timestamp), true))
}

function indexOf(offers: readonly TimestampOffset[]): TimeIndex {
  const index = new TimeIndex(BASE)
  for (const { timestamp, offset } of offers) index.maybeAppend(timestamp, offset)
  return index
}

/** The file, as Kafka's TimeIndex.java lays it out. */
function fileOf(entries: readonly TimestampOffset[]): Buffer {
  return Buffer.concat(
    entries.map(({ timestamp, offset }) => {
      const entry = Buffer.alloc(12)
      entry.writeBigInt64BE(BigInt(timestamp), 0)
      entry.writeInt32BE(offset - BASE, 8)
      return entry
    }),
  )
}

const content = ({ entries }: TimeIndex) => entries.bytes.subarray(0, entries.count * 12)
const all = (index: TimeIndex) => Array.from({ length: index.count }, (_, i) => index.entry(i))

describe('a time index', () => {
  test('takes an entry only when its timestamp is the greatest so far', () => {
    fc.assert(
      fc.property(offered, (offers) => {
        const index = indexOf(offers)
        expect(all(index)).toEqual(taken(offers))
        expect(index.last()).toEqual(taken(offers).at(-1) ?? null)
      }),
    )
  })

  test('answers every look-up as a sorted list would, whether it was built or loaded', () => {
    fc.assert(
      fc.property(offered, (offers) => {
        const entries = taken(offers)
        for (const index of [indexOf(offers), new TimeIndex(BASE, fileOf(entries))]) {
          for (let timestamp = -1010; timestamp <= 1010; timestamp += 13) {
            const expected = entries.findLast((entry) => entry.timestamp < timestamp) ?? null
            expect(index.lookupBefore(timestamp)).toEqual(expected)
          }
          for (const [i, { timestamp }] of entries.entries()) {
            expect(index.lookupBefore(timestamp)).toEqual(entries[i - 1] ?? null)
            expect(index.lookupBefore(timestamp + 1)).toEqual(entries[i])
          }
        }
      }),
    )
  })

  test('leads to the first record at or after a time, never past it', () => {
    fc.assert(
      fc.property(offered, fc.integer({ min: -1000, max: 1000 }), (offers, timestamp) => {
        const first = offers.find((offer) => offer.timestamp >= timestamp)
        const found = indexOf(offers).lookupBefore(timestamp)
        expect(found?.offset ?? -Infinity).toBeLessThan(first?.offset ?? Infinity)
      }),
    )
  })

  test('is in memory what it is in the file, byte for byte as Kafka lays it out', () => {
    fc.assert(
      fc.property(offered, (offers) => {
        expect(content(indexOf(offers)).equals(fileOf(taken(offers)))).toBe(true)
      }),
    )
    const index = new TimeIndex(100)
    index.maybeAppend(-2, 100)
    index.maybeAppend(NOW, 104)
    index.maybeAppend(8.64e15, 100 + 2 ** 31 - 1)
    expect(content(index).toString('hex')).toBe(
      'fffffffffffffffe00000000' + '0000018bcfe5680000000004' + '001eb208c2dc00007fffffff',
    )
  })

  test('grows on from what was loaded, and knows what the file still lacks', () => {
    fc.assert(
      fc.property(offered, fc.nat(), (offers, some) => {
        const entries = taken(offers)
        const file = fileOf(entries.slice(0, some % (entries.length + 1)))
        const index = new TimeIndex(BASE, file)
        for (const { timestamp, offset } of entries.slice(index.count)) index.maybeAppend(timestamp, offset)
        expect(all(index)).toEqual(entries)
        expect(Buffer.concat([file, index.entries.unwritten()]).equals(fileOf(entries))).toBe(true)
      }),
    )
  })

  test('forgets the entries of records at and after a cut of the log, in the file too', () => {
    fc.assert(
      fc.property(offered, fc.nat(2000), (offers, some) => {
        // as often as not just behind an entry
        const end = some % 2 === 0 ? some : (taken(offers)[some % 5]?.offset ?? BASE + some) - BASE
        const index = new TimeIndex(BASE, fileOf(taken(offers)))
        index.truncate(BASE + end)
        const kept = taken(offers).filter(({ offset }) => offset < BASE + end)
        expect(all(index)).toEqual(kept)
        expect(index.entries.writtenCount).toBe(kept.length)
        // what was cut off may come again, with a smaller timestamp than before
        index.maybeAppend((kept.at(-1)?.timestamp ?? -2000) + 1, BASE + end + 1)
        expect(index.entries.unwritten().length).toBe(12)
      }),
    )
  })

  test('refuses a greater timestamp for an earlier record rather than write it', () => {
    const index = indexOf([{ timestamp: 5, offset: BASE + 9 }])
    expect(() => index.maybeAppend(6, BASE + 9)).toThrow(/invariant broken/)
    expect(index.count).toBe(1)
  })
})

describe('a time index is plausible', () => {
  test('when it is one that a segment could have written', () => {
    fc.assert(
      fc.property(offered, (offers) => {
        const entries = taken(offers)
        const end = (entries.at(-1)?.offset ?? BASE) + 1
        expect(new TimeIndex(BASE, fileOf(entries)).isPlausible(end)).toBe(true)
      }),
    )
  })

  const good = fileOf([10, 20, 30].map((step) => ({ timestamp: NOW + step, offset: BASE + step })))
  const changed = (change: (bytes: Buffer) => void) => {
    const bytes = Buffer.from(good)
    change(bytes)
    return bytes
  }

  test.each([
    ['an entry is of a record beyond the end', good, 30],
    ['the file ends within an entry', good.subarray(0, -1), 99],
    ['bytes follow the last entry', Buffer.concat([good, Buffer.alloc(3)]), 99],
    ['zeros follow, as a killed Kafka leaves them', Buffer.concat([good, Buffer.alloc(1200)]), 99],
    ['it holds nothing but zeros', Buffer.alloc(1200), 99],
    ['an offset is repeated', changed((bytes) => bytes.writeInt32BE(20, 32)), 99],
    ['offsets go back', changed((bytes) => bytes.writeInt32BE(9, 20)), 99],
    ['an offset lies before the segment', changed((bytes) => bytes.writeInt32BE(-1, 8)), 99],
    ['a timestamp is repeated', changed((bytes) => bytes.copy(bytes, 24, 12, 20)), 99],
    ['timestamps go back', changed((bytes) => bytes.writeInt32BE(0, 12)), 99],
  ])('not when %s', (_, bytes, end) => {
    expect(new TimeIndex(BASE, good).isPlausible(BASE + 31)).toBe(true)
    expect(new TimeIndex(BASE, bytes).isPlausible(BASE + end)).toBe(false)
  })
})
