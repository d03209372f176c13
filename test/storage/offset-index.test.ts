import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { OffsetIndex, type OffsetPosition } from '../../src/storage/offset-index.ts'

const BASE = 5_000_000_000
const INT32_MAX = 2 ** 31 - 1

/** Entries as a segment adds them: both fields grow from one to the next. */
const entries = fc
  .array(fc.record({ offset: fc.integer({ min: 1, max: 50 }), position: fc.integer({ min: 1, max: 9000 }) }))
  .map((steps) => {
    let last = { offset: BASE - 1, position: 0 }
    return steps.map(({ offset, position }) => {
      last = { offset: last.offset + offset, position: last.position + position }
      return last
    })
  })

function indexOf(added: readonly OffsetPosition[]): OffsetIndex {
  const index = new OffsetIndex(BASE)
  for (const { offset, position } of added) index.append(offset, position)
  return index
}

/** The file, as Kafka's OffsetIndex.java lays it out. */
function fileOf(added: readonly OffsetPosition[]): Buffer {
  return Buffer.concat(
    added.map(({ offset, position }) => {
      const entry = Buffer.alloc(8)
      entry.writeInt32BE(offset - BASE, 0)
      entry.writeInt32BE(position, 4)
      return entry
    }),
  )
}

const content = ({ entries }: OffsetIndex) => entries.bytes.subarray(0, entries.count * 8)
const all = (index: OffsetIndex) => Array.from({ length: index.count }, (_, i) => index.entry(i))

describe('an offset index', () => {
  test('answers every look-up as a sorted list would, whether it was built or loaded', () => {
    fc.assert(
      fc.property(entries, (added) => {
        const end = (added.at(-1)?.offset ?? BASE) + 60
        for (const index of [indexOf(added), new OffsetIndex(BASE, fileOf(added))]) {
          expect(all(index)).toEqual(added)
          for (let offset = BASE; offset < end; offset += 7) {
            const expected = added.findLast((entry) => entry.offset <= offset) ?? { offset: BASE, position: 0 }
            expect(index.lookup(offset)).toEqual(expected)
          }
          for (const entry of added) expect(index.lookup(entry.offset)).toEqual(entry)
        }
      }),
    )
  })

  test('is in memory what it is in the file, byte for byte as Kafka lays it out', () => {
    fc.assert(
      fc.property(entries, (added) => {
        expect(content(indexOf(added)).equals(fileOf(added))).toBe(true)
      }),
    )
    const index = new OffsetIndex(100)
    index.append(104, 4242)
    index.append(100 + INT32_MAX, INT32_MAX)
    expect(content(index).toString('hex')).toBe('00000004000010927fffffff7fffffff')
  })

  test('grows on from what was loaded, and knows what the file still lacks', () => {
    fc.assert(
      fc.property(entries, fc.nat(), (added, some) => {
        const loaded = added.length === 0 ? 0 : some % (added.length + 1)
        const file = fileOf(added.slice(0, loaded))
        const index = new OffsetIndex(BASE, file)
        for (const { offset, position } of added.slice(loaded)) index.append(offset, position)
        expect(all(index)).toEqual(added)
        expect(Buffer.concat([file, index.entries.unwritten()]).equals(fileOf(added))).toBe(true)
      }),
    )
  })

  test('forgets the entries at and after a cut of the log, in the file too', () => {
    fc.assert(
      fc.property(entries, fc.integer({ min: 0, max: 100_000 }), (added, some) => {
        // as often as not just where an entry points to
        const sizeBytes = some % 2 === 0 ? some : (added[some % 10]?.position ?? some)
        const index = new OffsetIndex(BASE, fileOf(added))
        index.truncate(sizeBytes)
        const kept = added.filter(({ position }) => position < sizeBytes)
        expect(all(index)).toEqual(kept)
        expect(index.entries.writtenCount).toBe(kept.length)
        index.append((kept.at(-1)?.offset ?? BASE) + 1, sizeBytes + 1)
        expect(index.entries.unwritten().length).toBe(8)
      }),
    )
  })

  test('starts a look-up at the beginning of the segment where no entry helps', () => {
    expect(new OffsetIndex(BASE).lookup(BASE + 99)).toEqual({ offset: BASE, position: 0 })
    expect(indexOf([{ offset: BASE + 10, position: 500 }]).lookup(BASE + 9)).toEqual({ offset: BASE, position: 0 })
  })

  test.each([
    ['an offset before the segment', BASE - 1, 10],
    ['an offset that is too far from its base', BASE + INT32_MAX + 1, 10],
    ['a position that is too large', BASE, INT32_MAX + 1],
  ])('refuses %s rather than write it wrong', (_, offset, position) => {
    const index = new OffsetIndex(BASE)
    expect(() => index.append(offset, position)).toThrow(/invariant broken/)
    expect(index.count).toBe(0)
  })
})

describe('an offset index is plausible', () => {
  test('when it is one that a segment could have written', () => {
    fc.assert(
      fc.property(entries, fc.integer({ min: 1, max: 9000 }), (added, more) => {
        const sizeBytes = (added.at(-1)?.position ?? 0) + more
        expect(new OffsetIndex(BASE, fileOf(added)).isPlausible(sizeBytes)).toBe(true)
      }),
    )
  })

  const good = fileOf([10, 20, 30].map((step) => ({ offset: BASE + step, position: step * 100 })))
  const changed = (change: (bytes: Buffer) => void) => {
    const bytes = Buffer.from(good)
    change(bytes)
    return bytes
  }

  test.each([
    ['an entry points beyond the log', good, 3000],
    ['the log is empty', good, 0],
    ['the file ends within an entry', good.subarray(0, -1), 9999],
    ['bytes follow the last entry', Buffer.concat([good, Buffer.alloc(3)]), 9999],
    ['zeros follow, as a killed Kafka leaves them', Buffer.concat([good, Buffer.alloc(800)]), 9999],
    ['it holds nothing but zeros', Buffer.alloc(800), 9999],
    ['an offset is repeated', changed((bytes) => bytes.writeInt32BE(20, 16)), 9999],
    ['offsets go back', changed((bytes) => bytes.writeInt32BE(31, 8)), 9999],
    ['an offset lies before the segment', changed((bytes) => bytes.writeInt32BE(-1, 0)), 9999],
    ['a position is repeated', changed((bytes) => bytes.writeInt32BE(2000, 20)), 9999],
    ['positions go back', changed((bytes) => bytes.writeInt32BE(500, 12)), 9999],
    ['the first batch is indexed, which none ever is', changed((bytes) => bytes.writeInt32BE(0, 4)), 9999],
    ['a position is negative', changed((bytes) => bytes.writeInt32BE(-1, 20)), 9999],
  ])('not when %s', (_, bytes, sizeBytes) => {
    expect(new OffsetIndex(BASE, good).isPlausible(3001)).toBe(true)
    expect(new OffsetIndex(BASE, bytes).isPlausible(sizeBytes)).toBe(false)
  })
})
