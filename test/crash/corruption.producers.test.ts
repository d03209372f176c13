/**
 * Snapshots of what idempotent producers have sent, damaged in every way: the last batches of each producer are known again
 * all the same, nothing is doubled, and nothing is refused that should not be.
 */
import { expect, test } from 'vitest'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { given } from '../helpers/corruption-campaign.ts'
import { opened, snapshotPath, snapshotsIn } from '../helpers/idempotent-producer.ts'
import { changeFile, putFile } from '../helpers/logs.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'

/** Of the bits and the lengths. */
const SHARE = given('CORRUPTION_SHARE') ?? 0.1
const SENT = 12
const SMALL = { segmentBytes: 400 }

/** A log with two producers and two snapshots, that was closed in order or killed. */
async function imageOf(stop: 'closed' | 'killed'): Promise<MemoryStorage> {
  const storage = new MemoryStorage()
  const first = await opened(storage, {}, SMALL)
  for (let i = 0; i < SENT; i++) for (const producerId of [7, 8]) await first.send(i, { producerId })
  const killed = storage.clone()
  await first.log.close()
  return stop === 'killed' ? killed : storage
}

/** Producer 7 has even offsets, 8 odd ones. */
async function checkKnown(storage: MemoryStorage): Promise<void> {
  const { log, send } = await opened(storage)
  const answers: (number | string)[] = []
  for (const producerId of [7, 8]) {
    for (let i = SENT - 5; i < SENT; i++) answers.push(await send(i, { producerId }))
    answers.push(await send(SENT + 1, { producerId }), await send(SENT, { producerId }))
  }
  const known = (first: number) => Array.from({ length: 5 }, (_, i) => 2 * (SENT - 5 + i) + first)
  const refused = 'OUT_OF_ORDER_SEQUENCE_NUMBER'
  const expected = [...known(0), refused, 2 * SENT, ...known(1), refused, 2 * SENT + 1]
  expect(answers).toEqual(expected)
  await log.close()
}

type Damage = (storage: MemoryStorage) => Promise<unknown>

async function damagesOf(image: MemoryStorage, random: SeededRandom): Promise<[what: string, Damage][]> {
  const damages: [string, Damage][] = []
  const offsets = await snapshotsIn(image)
  expect(offsets.length).toBe(2)
  const whole = await Promise.all(offsets.map((offset) => image.readFile(snapshotPath(offset))))
  for (const [i, offset] of offsets.entries()) {
    const path = snapshotPath(offset)
    for (let bit = 0; bit < whole[i].length * 8; bit++) {
      if (!random.chance(SHARE)) continue
      damages.push([`bit ${bit} of ${offset}`, (it) => changeFile(it, path, (content) => flipped(content, bit))])
    }
    for (let size = 0; size < whole[i].length; size++) {
      if (!random.chance(SHARE)) continue
      damages.push([`${offset} cut at ${size}`, (it) => changeFile(it, path, (content) => content.subarray(0, size))])
    }
    damages.push([`${offset} gone`, (it) => it.removeFile(path)])
    damages.push([`${offset} has the content of the other`, (it) => putFile(it, path, whole[1 - i])])
    for (const other of [0, 1, 5, 11, 23, 25, 1_000, 2 ** 40]) {
      damages.push([`${offset} as ${other} too`, (it) => putFile(it, snapshotPath(other), whole[i])])
      damages.push([`${offset} as ${other}`, (it) => it.rename(path, snapshotPath(other))])
    }
  }
  for (let i = 0; i < 50; i++) {
    const bits = whole.map((content) => random.below(content.length * 8))
    damages.push([
      `bits ${bits.join(' and ')} of both`,
      async (it) => {
        for (const [j, offset] of offsets.entries())
          await changeFile(it, snapshotPath(offset), (content) => flipped(content, bits[j]))
      },
    ])
  }
  return damages
}

function flipped(content: Buffer, bit: number): Buffer {
  const changed = Buffer.from(content)
  changed[bit >> 3] ^= 1 << (bit & 7)
  return changed
}

test.each(['closed', 'killed'] as const)(
  'every damage to a snapshot of a log that was %s costs a look into the log, no more',
  { timeout: 300_000 },
  async (stop) => {
    const random = new SeededRandom()
    const image = await imageOf(stop)
    const damages = await damagesOf(image, random)
    for (const [what, damage] of damages) {
      const storage = image.clone()
      await damage(storage)
      await checkKnown(storage).catch((error: unknown) => {
        throw new Error(`${what} (VARVE_SEED=${random.seed}): ${(error as Error).message}`, { cause: error })
      })
    }
    console.log(`${stop}: ${damages.length} damages (VARVE_SEED=${random.seed})`)
  },
)
