/** Scripts that together use everything that touches the disk: short, because each is run once for every call and error. */
import type { Varve } from '../../src/client/varve.ts'
import type { VarveOptions } from '../../src/engine/open-options.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { Ledger } from './io-ledger.ts'
import { DIRECTORY, sceneOn, settled, type Chapter, type Scene } from './io-run.ts'
import { copyDirectory } from './logs.ts'

/** `IO_ROUNDS` makes the scripts longer. */
const ROUNDS = Number(process.env['IO_ROUNDS'] ?? 1)

export const SMALL = { segmentBytes: 300, indexIntervalBytes: 100 } as const
export const FILLER = '.'.repeat(80)
const KEYED = { ...SMALL, minCleanableDirtyRatio: 0.01 } as const
const COMPACTION_CHECK_MS = 60_000
/** A topic in each flush mode. */
const MODES = { durable: 'group', each: 'each', window: { ms: 10 }, lazy: 'os' } as const
type Mode = keyof typeof MODES
const ALL_MODES = Object.keys(MODES) as Mode[]
/** One that is acknowledged durably, and one in which a stop leaves much to do. */
const TWO_MODES: readonly Mode[] = ['durable', 'lazy']

/** Runs a script on a new disk: what other chapters begin with. */
export async function prepared(
  script: (scene: Scene) => Promise<void>,
): Promise<{ disk: MemoryStorage; ledger: Ledger }> {
  const disk = new MemoryStorage()
  const ledger = new Ledger()
  const scene = sceneOn(disk, ledger)
  await settled(scene.clock, 'the preparation', script(scene))
  if (ledger.failures.length > 0) throw ledger.failures[0].error
  return { disk, ledger }
}

/** Runs `script` with the log open, and closes it. Where it cannot be opened there is nothing to do. */
export async function withLog(
  scene: Scene,
  script: (log: Varve) => Promise<void>,
  options: Partial<VarveOptions> = {},
): Promise<void> {
  let log: Varve | null = null
  await scene.ledger.attempt('open', async () => void (log = await scene.open(options)))
  if (log === null) return
  await script(log)
  scene.ledger.beforeClose()
  await scene.ledger.attempt('close', () => log!.close())
}

async function createModes({ ledger }: Scene, log: Varve, modes: readonly Mode[]): Promise<void> {
  for (const name of modes) await ledger.createTopic(log, { name, flush: MODES[name], ...SMALL })
}

/** One round of appends in each mode: single ones that share a sync, and a batch. */
async function appendRound({ ledger, clock }: Scene, log: Varve, modes: readonly Mode[]): Promise<void> {
  await Promise.all(
    modes.flatMap((name) => [ledger.append(log, name, 0, [FILLER]), ledger.append(log, name, 0, ['a', 'b'])]),
  )
  // a sync of the window falls due
  await ledger.attempt('time passes', async () => clock.advance(6))
}

/** A log whose last round nobody made durable. */
export function withUnsyncedTail(): ReturnType<typeof prepared> {
  return prepared(async (scene) => {
    const log = await scene.open()
    await createModes(scene, log, TWO_MODES)
    await appendRound(scene, log, TWO_MODES)
    await scene.ledger.flush(log)
    await appendRound(scene, log, TWO_MODES)
  })
}

/** Appends go on, and all is read. */
async function goOn(scene: Scene, log: Varve, modes: readonly Mode[]): Promise<void> {
  for (let round = 1; round < ROUNDS; round++) await appendRound(scene, log, modes)
  for (const name of modes) {
    await scene.ledger.append(log, name, 0, [FILLER])
    await scene.ledger.read(log, name)
  }
}

const first: Chapter = {
  name: 'first',
  prepare: () => prepared(async () => {}),
  run: (scene) =>
    withLog(scene, async (log) => {
      await createModes(scene, log, ALL_MODES)
      await appendRound(scene, log, ALL_MODES)
      await scene.ledger.flush(log)
      await goOn(scene, log, ALL_MODES)
    }),
}

/** The process was killed: the last round is in the page cache only, and has to be written and synced again. */
const killed: Chapter = {
  name: 'killed',
  async prepare() {
    const { disk, ledger } = await withUnsyncedTail()
    return { disk: disk.clone(), ledger }
  },
  run: (scene) =>
    withLog(scene, async (log) => {
      scene.ledger.isDurable()
      await goOn(scene, log, TWO_MODES)
    }),
}

/** A power cut has left half of each write: torn tails are saved and cut, offsets that were reserved are skipped. */
const torn: Chapter = {
  name: 'torn',
  async prepare() {
    const { disk, ledger } = await withUnsyncedTail()
    const left = disk.crash({
      choose: ({ length, path }) => (path.endsWith('.log') ? Math.ceil(length * 0.8) : 0),
      keepTruncate: () => true,
      keepDirectoryOperation: () => true,
    })
    const { open, clock } = sceneOn(left.clone(), ledger)
    const look = async () => {
      const log = await open()
      if (log.recovery.cutBytes === 0) throw new Error('nothing is torn')
      await ledger.restart(log)
      await log.close()
    }
    await settled(clock, 'a look at the torn log', look())
    return { disk: left, ledger }
  },
  run: (scene) => withLog(scene, (log) => goOn(scene, log, TWO_MODES)),
}

/** Topics come, change and go. */
const admin: Chapter = {
  name: 'admin',
  async prepare() {
    const start = await prepared(async (scene) => {
      const { ledger } = scene
      await withLog(scene, async (log) => {
        for (const name of ['durable', 'kept', 'gone', 'lost']) await ledger.createTopic(log, { name, ...SMALL })
        for (let i = 0; i < 3; i++) {
          await ledger.append(log, 'durable', 0, [FILLER, FILLER])
          await ledger.append(log, 'kept', 0, [FILLER, FILLER])
        }
        await ledger.append(log, 'gone', 0, [FILLER])
        await ledger.append(log, 'lost', 0, [FILLER, 'g'])
      })
    })
    // a copy of a topic's directory, which no topic knows
    await copyDirectory(start.disk, `${DIRECTORY}/lost-0`, `${DIRECTORY}/orphan-0`)
    await start.disk.syncDirectory(DIRECTORY)
    return start
  },
  run: (scene) =>
    withLog(scene, async (log) => {
      const { ledger, clock } = scene
      await ledger.createPartitions(log, 'durable', 3)
      await ledger.append(log, 'durable', 1, [FILLER])
      await ledger.alterTopic(log, 'durable', { flush: 'os', maxMessageBytes: 100_000 })
      await ledger.append(log, 'durable', 0, [FILLER])
      await ledger.alterTopic(log, 'durable', { flush: 'each' })
      await ledger.append(log, 'durable', 0, [FILLER])
      await ledger.deleteRecords(log, 'durable', 0, 3)
      await ledger.alterTopic(log, 'kept', { retentionMs: 1_000 })
      clock.setWallClock(clock.now() + 10_000)
      await ledger.enforceRetention(log, ['kept'])
      await ledger.append(log, 'kept', 0, [FILLER])
      await ledger.deleteTopic(log, 'gone')
      await ledger.createTopic(log, { name: 'gone', ...SMALL })
      await ledger.append(log, 'gone', 0, [FILLER])
      await ledger.adoptTopic(log, 'adopted', 'lost', 'orphan')
      await ledger.append(log, 'adopted', 0, [FILLER])
      for (const name of ['durable', 'kept', 'gone', 'adopted']) await ledger.read(log, name)
    }),
}

/** Segments are exchanged, by a call and then by what goes on by itself. */
const compaction: Chapter = {
  name: 'compaction',
  prepare: () =>
    prepared((scene) =>
      withLog(scene, async (log) => {
        await scene.ledger.createTopic(log, { name: 'keyed', cleanupPolicy: 'compact', ...KEYED })
        await appendKeyed(scene, log, 5)
      }),
    ),
  run: (scene) => withLog(scene, (log) => compactTwice(scene, log), { compactionCheckMs: COMPACTION_CHECK_MS }),
}

async function compactTwice(scene: Scene, log: Varve): Promise<void> {
  const { ledger, clock } = scene
  await ledger.attempt('compact', async () => void (await log.compact('keyed')))
  await ledger.read(log, 'keyed')
  await appendKeyed(scene, log, 2)
  await ledger.attempt('time passes', async () => {
    clock.advance(COMPACTION_CHECK_MS)
    await new Promise((resolve) => setImmediate(resolve))
  })
  await ledger.read(log, 'keyed')
  await appendKeyed(scene, log, ROUNDS)
}

async function appendKeyed({ ledger }: Scene, log: Varve, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    await ledger.append(log, 'keyed', 0, [FILLER, FILLER], `key-${i % 3}`)
    if (i % 4 === 3) await ledger.append(log, 'keyed', 0, [null], `key-${i % 3}`)
  }
}

export const CHAPTERS: readonly Chapter[] = [first, killed, torn, admin, compaction]
