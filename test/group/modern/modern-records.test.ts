/** The records that keep a group of the newer protocol. What Kafka makes of them is in test/interop/kip-848.test.ts. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { VarveError } from '../../../src/errors.ts'
import type { StoredModern } from '../../../src/group/modern/modern-group.ts'
import { changesOf, tombstonesOf, withRecord, type ModernEntry } from '../../../src/group/modern/modern-records.ts'
import { decodeOffsetsRecord } from '../../../src/group/offset-records.ts'

const text = fc.string({ maxLength: 8 })
const topicId = fc.constantFrom('AAAAAAAAAAAAAAAAAAAAAQ', '5ugn1ODEjdP3AWRbF1sfKQ')
const keys = fc
  .array(
    fc.tuple(topicId, fc.nat(2 ** 31 - 1)).map(([id, partition]) => `${id}/${partition}`),
    { maxLength: 5 },
  )
  .map((list) => new Set(list))
const member = fc.record({
  metadata: fc.record({
    instanceId: fc.option(text),
    rackId: fc.option(text),
    clientId: text,
    clientHost: text,
    topics: fc.array(text, { maxLength: 3 }),
    pattern: fc.option(fc.string({ minLength: 1, maxLength: 8 })),
    rebalanceTimeoutMs: fc.nat(),
    assignor: fc.option(text),
  }),
  current: fc.record({
    epoch: fc.integer({ min: -2, max: 2 ** 31 - 1 }),
    previousEpoch: fc.nat(),
    state: fc.constantFrom('stable' as const, 'unrevoked' as const, 'unreleased' as const),
    assigned: keys,
    revoking: keys,
  }),
  target: keys,
})
const stored: fc.Arbitrary<StoredModern> = fc.record({
  // room for one more
  epoch: fc.nat(2 ** 31 - 2),
  assignmentEpoch: fc.nat(),
  members: fc.dictionary(text, member, { maxKeys: 3 }).map((members) => new Map(Object.entries(members))),
})

const NOTHING = { epoch: 0, assignmentEpoch: 0, members: new Map() }

function replay(entries: readonly ModernEntry[], from: StoredModern | null = null): StoredModern | null {
  return entries.reduce((so, { key, value }) => {
    const decoded = decodeOffsetsRecord(key, value)
    if (decoded.type !== 'modern') throw new Error(decoded.type)
    expect(decoded.groupId).toBe('g')
    return withRecord(so, decoded.record)
  }, from)
}

const orNull = (state: StoredModern) => (state.epoch + state.assignmentEpoch + state.members.size === 0 ? null : state)

test('what is replayed is what was stored, whatever came before it', () => {
  fc.assert(
    fc.property(stored, stored, (before, after) => {
      const first = replay(changesOf('g', NOTHING, before as never))
      expect(first).toEqual(orNull(before))
      expect(replay(changesOf('g', before as never, after as never), first)).toEqual(orNull(after))
      expect(replay(tombstonesOf('g', after), after)).toBe(null)
    }),
    { numRuns: 300 },
  )
})

test('what has not changed is not written again', () => {
  fc.assert(
    fc.property(stored, (state) => {
      expect(changesOf('g', state as never, state as never)).toEqual([])
      const more = { ...state, epoch: state.epoch + 1 }
      expect(changesOf('g', state as never, more as never)).toHaveLength(1)
    }),
    { numRuns: 50 },
  )
})

test('a group is stored as Kafka stores it', () => {
  const current = { epoch: 1, previousEpoch: 0, state: 'stable' as const, revoking: new Set<string>() }
  const metadata = { instanceId: null, rackId: null, clientId: 'c', clientHost: '/1', topics: ['t'], pattern: null }
  const assigned = new Set(['AAAAAAAAAAAAAAAAAAAAAQ/3'])
  const one = {
    metadata: { ...metadata, rebalanceTimeoutMs: 5, assignor: null },
    current: { ...current, assigned },
    target: assigned,
  }
  const entries = changesOf('g', NOTHING, { epoch: 1, assignmentEpoch: 1, members: new Map([['m', one]]) })
  const id = '00000000000000000000000000000001'
  expect(entries.map(({ key, value }) => [key.toString('hex'), value!.toString('hex')])).toEqual([
    ['0005' + '000167' + '00016d', '0000' + '0000' + '0263' + '032f31' + '020274' + '00' + '00000005' + '00' + '00'],
    ['0003' + '000167', '0000' + '00000001' + '00'],
    ['0007' + '000167' + '00016d', '0000' + '02' + id + '0200000003' + '00' + '00'],
    ['0006' + '000167', '0000' + '00000001' + '00'],
    [
      '0008' + '000167' + '00016d',
      '0000' + '00000001' + '00000000' + '00' + '02' + id + '0200000003' + '00' + '01' + '00',
    ],
  ])
})

test('hostile bytes, and what is newer than this, give a value or the one error', () => {
  const versions = fc.constantFrom(3, 5, 6, 7, 8)
  fc.assert(
    fc.property(versions, fc.uint8Array({ maxLength: 40 }), fc.boolean(), (version, bytes, isNewer) => {
      const key = Buffer.from([0, version, 0, 1, 103, 0, 1, 109])
      const value = Buffer.concat([Buffer.from([0, isNewer ? 1 : 0]), bytes])
      try {
        const { type } = decodeOffsetsRecord(key, value)
        expect(type).toBe(isNewer ? 'unknown' : 'modern')
      } catch (error) {
        expect((error as VarveError).code).toBe('INVALID_RECORD')
      }
    }),
    { numRuns: 2_000 },
  )
})
