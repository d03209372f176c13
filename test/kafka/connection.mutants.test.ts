/**
 * Requests with bits flipped, bytes replaced, moved, doubled and taken out, and spliced with others: whatever becomes of
 * them, the server goes on, and the log is sound. A million: `VARVE_FUZZ_MUTANTS=1000000 npx vitest run
 * test/kafka/connection.mutants.test.ts`; `VARVE_SEED` replays a run.
 */
import { expect, test } from 'vitest'
import { apis } from '../../src/kafka/apis.ts'
import { mutate } from '../helpers/hostile-bytes.ts'
import { sampleRequest, type ApiWithRequest } from '../helpers/kafka-samples.ts'
import { ScratchBroker, sized } from '../helpers/kafka-scratch.ts'
import { versionsOf } from '../helpers/kafka-session.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'

const MUTANTS = Number(process.env['VARVE_FUZZ_MUTANTS'] ?? 60_000)
/** Of one log: requests that are sound by chance make topics and groups, and a new log has none of them. */
const MUTANTS_PER_LOG = 2_000
/** What a request may wait for that nobody brings: records, and the other members of a group. */
const WAITING_KEYS = [1, 11, 14]

const versions = (apis as ApiWithRequest[]).flatMap((api) => versionsOf(api).map((version) => [api, version] as const))

test(
  `${MUTANTS} mutated requests are answered, refused or waiting, and the log is sound`,
  { timeout: 120_000 + MUTANTS },
  async () => {
    const random = new SeededRandom()
    const replay = `VARVE_SEED=${random.seed} VARVE_FUZZ_MUTANTS=${MUTANTS} npx vitest run test/kafka/connection.mutants.test.ts`
    console.log(replay)
    const ends = { answered: 0, refused: 0, waiting: 0 }
    for (let done = 0; done < MUTANTS;) {
      await using scratch = await ScratchBroker.open()
      const sample = () => sampleRequest(...random.pick(versions), scratch.names, random)
      for (const end = Math.min(done + MUTANTS_PER_LOG, MUTANTS); done < end; done++) {
        const frame = mutate(sample(), sample(), random)
        // now and then the length before it is hurt too, and what comes next may be taken for a part of it
        const isLengthHurt = random.chance(0.05)
        const bytes = isLengthHurt ? mutate(sized(frame), frame, random) : sized(frame)
        const outcome = await scratch.send(bytes)
        ends[outcome]++
        if (outcome === 'waiting' && !isLengthHurt)
          expect(WAITING_KEYS, `${replay}: ${bytes.toString('hex')} has no end`).toContain(bytes.readInt16BE(4))
      }
      expect(await scratch.findFaults(), `${replay}: up to mutant ${done}`).toEqual([])
    }
    console.log(`${ends.answered} answered, ${ends.refused} refused, ${ends.waiting} waited`)
    expect(ends.answered).toBeGreaterThan(MUTANTS / 20)
  },
)
