/**
 * The faults that the suite must find: that they still fit the sources, that each of them was found, and a few of them
 * made and found anew. `npm run seeded-faults` makes all of them.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { SeededRandom } from '../helpers/seeded-random.ts'
import { MODES } from './campaigns/campaign.ts'
import { CAMPAIGNS } from './campaigns/campaigns.ts'
import { FAULTS } from './seeded-faults/faults.ts'
import { isCaught, readRows, secondsOf } from './seeded-faults/table.ts'
import { ROOT, withFault, Workshop } from './seeded-faults/workshop.ts'

const SAMPLE = Number(process.env['SEEDED_FAULTS'] ?? 5)

test('there are at least 40 faults, each under a name of its own', () => {
  const ids = FAULTS.map(({ id }) => id)
  expect(new Set(ids).size).toBe(ids.length)
  expect(ids.length).toBeGreaterThanOrEqual(40)
})

test('each of them changes one place of the sources, as they are now', () => {
  for (const fault of FAULTS) {
    const source = readFileSync(join(ROOT, fault.file), 'utf8')
    expect(withFault(source, fault), fault.id).not.toBe(source)
  }
})

test('each of them is hunted by tests and campaigns that there are', () => {
  for (const { id, hunts } of FAULTS) {
    expect(hunts.length, id).toBeGreaterThan(0)
    for (const hunt of hunts) {
      if ('test' in hunt) expect(readFileSync(join(ROOT, hunt.test), 'utf8'), id).toContain(hunt.name ?? 'test(')
      else expect(CAMPAIGNS.has(hunt.campaign) && MODES.has(hunt.mode), `${id}: ${JSON.stringify(hunt)}`).toBe(true)
    }
  }
})

test('docs/seeded-faults.md says of each of them what caught it', () => {
  const rows = readRows()
  expect([...rows.keys()]).toEqual(FAULTS.map(({ id }) => id))
  expect([...rows].filter(([, row]) => !isCaught(row)).map(([id]) => id)).toEqual([])
})

test('some of them, drawn anew each time, are caught when they are made', { timeout: 900_000 }, async () => {
  const random = new SeededRandom()
  const rows = readRows()
  const quick = FAULTS.toSorted((a, b) => secondsOf(rows.get(a.id)) - secondsOf(rows.get(b.id)))
  const drawn = Array.from({ length: SAMPLE }, () => random.pick(quick.slice(0, quick.length / 2)))
  const names = drawn.map(({ id }) => id).join(', ')
  console.log(`seeded faults: ${names} (VARVE_SEED=${random.seed}; SEEDED_FAULTS sets the number)`)
  const workshop = new Workshop()
  try {
    for (const fault of drawn) {
      const { result, message } = await workshop.hunt(fault.hunts, fault)
      expect(result, `${fault.id}: ${message}; repeat with npm run seeded-faults -- --only ${fault.id}`).toBe('caught')
    }
  } finally {
    workshop.close()
  }
})
