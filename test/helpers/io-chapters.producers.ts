/** An idempotent producer goes on after a stop: snapshots are read, written at each roll and at the close. */
import type { Varve } from '../../src/client/varve.ts'
import { checkReceivedBatch } from '../../src/codec/received-batch.ts'
import { clientBatch } from './client-batch.ts'
import { FILLER, prepared, SMALL, withLog } from './io-chapters.ts'
import { NEVER, type RecordFact } from './io-facts.ts'
import type { Ledger } from './io-ledger.ts'
import type { Chapter, Scene } from './io-run.ts'

export const PRODUCED = 'produced'
/** So often a batch is sent until the producer is told. */
const TRIES = 3

/** A batch of one record. */
interface Produced {
  bytes: Buffer
  fact: RecordFact
}

/** Sends batches one after another; a producer that was not told of one to the end sends no other. */
async function produce({ ledger }: Scene, log: Varve, first: number, count: number): Promise<Produced[]> {
  const sent: Produced[] = []
  for (let baseSequence = first; baseSequence < first + count; baseSequence++) {
    const [fact] = ledger.handIn(PRODUCED, 0, [FILLER], null)
    const bytes = clientBatch([fact.value!], { producerId: 7, producerEpoch: 0, baseSequence }, [null])
    for (let tries = 0; tries < TRIES && fact.ackedAt === NEVER; tries++) await send(ledger, log, { bytes, fact })
    if (fact.ackedAt === NEVER) break
    sent.push({ bytes, fact })
  }
  return sent
}

/** What was acknowledged before has the offset that it had. */
async function send(ledger: Ledger, log: Varve, { bytes, fact }: Produced): Promise<void> {
  const offset = await ledger.attempt('produce', async () => {
    const batch = Buffer.from(bytes)
    const topic = log['engine'].topic(PRODUCED)
    const header = checkReceivedBatch(batch, 1_000_000, true)
    return (await topic.appendReceived(topic.partition(0), batch, header)).baseOffset
  })
  if (offset === undefined) return
  if (fact.ackedAt !== NEVER && fact.offset !== offset) throw new Error(`${fact.value} is at ${offset} again`)
  Object.assign(fact, { offset, ackedAt: Math.min(fact.ackedAt, ledger.now) })
  if (ledger.isDurablyAcknowledged(PRODUCED)) fact.durableAt = Math.min(fact.durableAt, ledger.now)
}

const producers: Chapter = {
  name: 'producers',
  prepare: () =>
    prepared((scene) =>
      withLog(scene, async (log) => {
        await scene.ledger.createTopic(log, { name: PRODUCED, ...SMALL })
        await produce(scene, log, 0, 3)
      }),
    ),
  run: (scene) =>
    withLog(scene, async (log) => {
      for (const produced of await produce(scene, log, 3, 2)) await send(scene.ledger, log, produced)
      await scene.ledger.read(log, PRODUCED)
    }),
}

export const PRODUCER_CHAPTERS: readonly Chapter[] = [producers]
