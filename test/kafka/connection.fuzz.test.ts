/**
 * Requests of every API and version, cut off at every byte and with every length set to what it cannot be: each is answered
 * or costs its connection, and what is refused changes nothing. `VARVE_FUZZ_SAMPLES` tries more of each.
 */
import { getHeapStatistics } from 'node:v8'
import { afterAll, expect, test } from 'vitest'
import { apis } from '../../src/kafka/apis.ts'
import { hostileLengths, truncations } from '../helpers/hostile-bytes.ts'
import { decodeRequest, lengthsOf, sampleRequest, type ApiWithRequest } from '../helpers/kafka-samples.ts'
import { ScratchBroker, sized, type Outcome } from '../helpers/kafka-scratch.ts'
import { versionsOf } from '../helpers/kafka-session.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'

const SAMPLES = Number(process.env['VARVE_FUZZ_SAMPLES'] ?? 9)
const total = { answered: 0, refused: 0, waiting: 0 }
afterAll(() => console.log(`${total.refused} refused, ${total.answered} answered, ${total.waiting} waited`))

const ALLOCATION_BYTES_MAX = 64 * 1024

/** What is in memory, collected or not: grows by each allocation, and shrinks only when the collector runs. */
function memoryBytes(): number {
  const { used_heap_size, external_memory } = getHeapStatistics()
  return used_heap_size + external_memory
}

/**
 * Reads a request as a server does, and tells whether that can be done and how much memory it took; of several attempts the
 * least, for the engine that runs this program allocates now and then on its own account.
 */
function decode(api: ApiWithRequest, version: number, frame: Buffer): { isSound: boolean; allocated: number } {
  let least = Infinity
  for (let attempt = 0; attempt < 5; attempt++) {
    const before = memoryBytes()
    let isSound = true
    try {
      decodeRequest(api, version, frame)
    } catch {
      isSound = false
    }
    least = Math.min(least, memoryBytes() - before)
    if (least <= ALLOCATION_BYTES_MAX + frame.length) return { isSound, allocated: least }
  }
  return { isSound: false, allocated: least }
}

test('the measure of memory sees a buffer and an array of 64 KiB', () => {
  const kept: unknown[] = []
  const most = (allocate: () => unknown) => {
    const grown = [1, 2, 3, 4, 5].map(() => {
      const before = memoryBytes()
      kept.push(allocate())
      return memoryBytes() - before
    })
    return Math.max(...grown)
  }
  expect(most(() => Buffer.allocUnsafeSlow(ALLOCATION_BYTES_MAX))).toBeGreaterThanOrEqual(ALLOCATION_BYTES_MAX)
  expect(most(() => Array.from({ length: ALLOCATION_BYTES_MAX / 8 }, () => null))).toBeGreaterThanOrEqual(
    ALLOCATION_BYTES_MAX,
  )
})

test.for((apis as ApiWithRequest[]).map((api) => [api.name, api] as const))(
  '%s: cut off anywhere or with a length that cannot be, it is answered or refused',
  async ([, api]) => {
    const random = new SeededRandom(api.key)
    await using scratch = await ScratchBroker.open()
    const { names } = scratch
    const ends = { answered: 0, refused: 0, waiting: 0 }
    for (const version of versionsOf(api)) {
      const sound: Buffer[] = []
      const broken: Buffer[] = []
      for (let i = 0; i < SAMPLES; i++) {
        const sample = sampleRequest(api, version, names, random)
        expect(decode(api, version, sample).isSound, sample.toString('hex')).toBe(true)
        sound.push(sample)
        broken.push(...truncations(sample))
        for (const length of lengthsOf(api, version, sample)) {
          for (const frame of hostileLengths(sample, length)) {
            const { isSound, allocated } = decode(api, version, frame)
            expect(allocated, frame.toString('hex')).toBeLessThanOrEqual(ALLOCATION_BYTES_MAX + frame.length)
            if (isSound) sound.push(frame)
            else broken.push(frame)
          }
        }
      }
      const before = await scratch.hash()
      for (const frame of broken) {
        expect(await scratch.send(sized(frame)), `version ${version}: ${frame.toString('hex')}`).toBe('refused')
        ends.refused++
      }
      expect(await scratch.hash(), `version ${version}: what was refused has changed nothing`).toBe(before)
      for (const frame of sound) ends[await scratch.send(sized(frame))]++
    }
    expect(ends.answered).toBeGreaterThan(0)
    expect(await scratch.findFaults()).toEqual([])
    for (const [end, count] of Object.entries(ends)) total[end as Outcome] += count
  },
)
