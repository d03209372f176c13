/** What file systems make of a sync that fails, and what a log must make of that. */
import type { Varve } from '../../src/client/varve.ts'
import { VarveError } from '../../src/errors.ts'
import type { MemoryStorage } from '../../src/storage/memory-storage.ts'
import type { Damage } from '../../src/storage/recovery.ts'
import { systemError } from '../../src/storage/system-error.ts'
import type { Ledger } from './io-ledger.ts'
import { checkFailures, runScript, sceneOn, settled, type Chapter, type Scene } from './io-run.ts'

/**
 * What a file system does with a sync that fails.
 *
 * `'ext4'`, as xfs: the pages stay readable and count as clean, so that later syncs succeed without writing them.
 * `'btrfs'`: what is read is what is on the disk again. `'ext4 data'`: with its data in the journal the sync succeeds, the
 * next one of that file says that it did not, and then it is as with `'ext4'` for both. What a checkpoint has vouched for in
 * between may be lost: that no program can know, but it must not be lost in silence.
 */
export const FILE_SYSTEMS = ['ext4', 'btrfs', 'ext4 data'] as const
export type FileSystem = (typeof FILE_SYSTEMS)[number]

/** Makes one sync of a file fail; the functions tell how many there were, and the path of the one that did. */
export function failSync(disk: MemoryStorage, at: number, fileSystem: FileSystem) {
  let count = 0
  let journaled: string | null = null
  let failed: string | null = null
  disk.failedSync = fileSystem === 'btrfs' ? 'reverted' : 'dropped'
  const openFile = disk.openFile.bind(disk)
  disk.openFile = async (path, mode) => {
    const file = await openFile(path, mode)
    const sync = file.sync.bind(file)
    file.sync = () => {
      const index = count++
      const fails = journaled === null ? index === at : failed === null && path === journaled
      if (!fails) return sync()
      if (journaled === null && fileSystem === 'ext4 data') {
        journaled = path
        return Promise.resolve()
      }
      failed = path
      disk.syncDelay = () => Promise.reject(systemError('EIO', 'fdatasync', path))
      const failing = sync()
      disk.syncDelay = undefined
      return failing
    }
    return file
  }
  return { count: () => count, failed: () => failed }
}

/** Runs a chapter in which one sync fails. Throws what must not be; tells whether it failed at all. */
export async function runWithFailedSync(
  chapter: Chapter,
  start: { disk: MemoryStorage; ledger: Ledger },
  at: number,
  fileSystem: FileSystem,
): Promise<{ syncs: number; hasFailed: boolean }> {
  const disk = start.disk.clone()
  const ledger = start.ledger.fork()
  const syncs = failSync(disk, at, fileSystem)
  const scene = sceneOn(disk, ledger)
  const cuts: { disk: MemoryStorage; at: number }[] = []
  const takeCut = () => {
    if (syncs.failed() !== null) cuts.push({ disk: disk.crash(), at: ledger.now })
  }
  ledger.onStep = () => {
    if (cuts.length === 0) takeCut()
  }
  ledger.beforeClose = takeCut
  await runScript(chapter, scene)
  checkFailures(ledger, 'EIO', ({ what, error }) => {
    // what was seen before it was durable is not there any more
    const isGone = error instanceof VarveError && error.code === 'CORRUPT_MESSAGE'
    return fileSystem === 'btrfs' && isGone && !ledger.isDurablyAcknowledged(what.replace('read ', ''))
  })
  const ended = { syncs: syncs.count(), hasFailed: syncs.failed() !== null }
  if (!ended.hasFailed) return ended
  takeCut()
  // of what the journal held when that sync succeeded, what is lost with the next one is found below
  if (fileSystem !== 'ext4 data') {
    for (const cut of cuts) await look(cut.disk, ledger, 'a power cut', (log) => ledger.check(log, 'power cut', cut.at))
  }
  await checkReopened(disk.clone(), ledger, fileSystem)
  return ended
}

/** After a reopen on the same machine, whose page cache is as it was, a power cut takes nothing that the log showed. */
async function checkReopened(disk: MemoryStorage, ledger: Ledger, fileSystem: FileSystem): Promise<void> {
  const { clock, open } = sceneOn(disk, ledger)
  const reopened = async () => {
    const log = await open()
    await ledger.check(log, fileSystem === 'btrfs' ? 'power cut' : 'kill')
    return readAround(log)
  }
  const shown = await settled(clock, 'a reopen', reopened())
  const compare = async (log: Varve) => {
    const left = await readAround(log)
    if (fileSystem !== 'ext4 data' && left.lost.length > 0) throw new Error('damage was found')
    for (const [where, values] of shown.values) {
      for (const [offset, value] of values) {
        const now = left.values.get(where)?.get(offset)
        const isNamed = left.lost.some((lost) => lost.where === where && lost.from <= offset && offset < lost.to)
        if (now !== value && !isNamed) throw new Error(`${where}/${offset} was shown as ${value}, and is ${now}`)
      }
    }
  }
  const excuses = { isReopened: true, mayBeDamaged: fileSystem === 'ext4 data' }
  const checked = look(disk.crash(), ledger, 'a reopen and a power cut', compare, excuses)
  await checked.catch((error: Error) => {
    // so is the loss of topics
    const isNamed = (error as { code?: string }).code === 'CORRUPT_MESSAGE' && error.message.includes('catalog')
    if (fileSystem !== 'ext4 data' || !isNamed) throw error
  })
}

async function look(
  disk: MemoryStorage,
  ledger: Ledger,
  after: string,
  check: (log: Varve) => Promise<void>,
  { isReopened = false, mayBeDamaged = false } = {},
): Promise<void> {
  const { clock, open }: Scene = sceneOn(disk, ledger)
  const looking = async () => {
    const log = await open()
    const damage = isReopened ? withoutOneCheckpoint(log.recovery.damage) : log.recovery.damage
    if (damage.length > 0 && !mayBeDamaged)
      throw new Error(`after ${after}: damage was found: ${JSON.stringify(damage)}`)
    await check(log).catch((error: unknown) => {
      throw new Error(`after ${after}: ${String(error)}`, { cause: error })
    })
    await log.close()
  }
  await settled(clock, `a look after ${after}`, looking())
}

/**
 * A checkpoint whose sync failed was read from the page cache and is gone with the power. The open that read it wrote the
 * other one, so that no more than one is lost, and that is told.
 */
function withoutOneCheckpoint(damage: readonly Damage[]): readonly Damage[] {
  const isCheckpoint = ({ path }: Damage) => /\/checkpoint-[ab]$/.test(path)
  return damage.filter(isCheckpoint).length > 1 ? damage : damage.filter((one) => !isCheckpoint(one))
}

interface Found {
  /** By partition and offset. */
  values: Map<string, Map<number, string | undefined>>
  /** Offsets that are told to be unreadable. */
  lost: { where: string; from: number; to: number }[]
}

/** Every record of every topic that can be read. */
async function readAround(log: Varve): Promise<Found> {
  const found: Found = { values: new Map(), lost: [] }
  for (const { name, partitions } of await log.listTopics()) {
    for (const { partition, logStartOffset, logEndOffset } of partitions) {
      const where = `${name}-${partition}`
      const values = new Map<number, string | undefined>()
      found.values.set(where, values)
      for (let from = logStartOffset; from < logEndOffset;) {
        const next = await readOn(log, name, partition, from, values)
        if (next > from) found.lost.push({ where, from, to: next })
        from = next === from ? logEndOffset : next
      }
    }
  }
  return found
}

/** Reads up to the end, or to damage: where that ends, else `from`. */
async function readOn(
  log: Varve,
  name: string,
  partition: number,
  from: number,
  values: Map<number, string | undefined>,
) {
  try {
    for await (const { offset, valueBytes } of log.read(name, { partition, from }))
      values.set(offset, valueBytes?.toString())
    return from
  } catch (error) {
    if (!(error instanceof VarveError) || error.code !== 'CORRUPT_MESSAGE') throw error
    return error.details.nextOffset!
  }
}
