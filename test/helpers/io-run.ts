/** Runs a script over a disk that fails at one call, and checks what it was told and what is left. */
import { vi } from 'vitest'
import { Varve } from '../../src/client/varve.ts'
import type { VarveOptions } from '../../src/engine/open-options.ts'
import { systemErrorCode, VarveError } from '../../src/errors.ts'
import type { CrashOptions } from '../../src/storage/memory-crash.ts'
import type { MemoryStorage } from '../../src/storage/memory-storage.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { FakeClock } from './fake-clock.ts'
import { FaultyStorage, type Call } from './faulty-storage.ts'
import type { Failure, Ledger, Survival } from './io-ledger.ts'
import { SeededRandom } from './seeded-random.ts'

export const DIRECTORY = '/data/log'

/** Everything that was written is on the disk, synced or not. */
const ALL_KEPT: CrashOptions = {
  choose: ({ length }) => length,
  keepTruncate: () => true,
  keepDirectoryOperation: () => true,
  size: 'written',
}

const NEVER_MS = 2 ** 31 - 1
/** Turns of the event loop, and calls of `defer`, after which something goes on for ever. */
const MAX_TURNS = 1_500
const MAX_DEFERS = 100_000

/** What a script has at hand. */
export interface Scene {
  storage: Storage
  clock: FakeClock
  ledger: Ledger
  /** Opens the log, or another one beside it. */
  open: (options?: Partial<VarveOptions>) => Promise<Varve>
}

/** A script, and the disk that it begins with. */
export interface Chapter {
  name: string
  prepare(): Promise<{ disk: MemoryStorage; ledger: Ledger }>
  run(scene: Scene): Promise<void>
}

/** What to do to one of the calls. */
export interface Trouble {
  call: number
  sticky: boolean
  /** An error code; or how many bytes one read or write does: one, or half of what is asked. */
  kind: string
}

/** `'short 1'` and `'short half'`. */
export const SHORT_KINDS = ['short 1', 'short half'] as const

/** What became of a run. */
export interface Ended {
  ledger: Ledger
  calls: readonly Call[]
}

/** What a stop leaves, and what was acknowledged by then. */
interface Image {
  disk: MemoryStorage
  at: number
  survival: Survival
}

export function sceneOn(storage: Storage, ledger: Ledger): Scene {
  const clock = new FakeClock()
  let defers = 0
  clock.deferWith = (callback) => {
    // who is put off for ever is found by whoever waits for him
    if (++defers < MAX_DEFERS) queueMicrotask(callback)
  }
  const random = new SeededRandom(1)
  const open = (options: Partial<VarveOptions> = {}) =>
    Varve.open({
      directory: DIRECTORY,
      storage,
      clock,
      random,
      retentionCheckMs: NEVER_MS,
      compactionCheckMs: NEVER_MS,
      compactionBufferBytes: 65_536,
      ...options,
    })
  return { storage, clock, ledger, open }
}

/** What a promise gives, letting time pass where it waits for that. Fails where it waits for something else. */
export async function settled<T>(clock: FakeClock, what: string, promise: Promise<T>): Promise<T> {
  let isSettled = false
  const marked = promise.finally(() => {
    isSettled = true
  })
  marked.catch(() => {})
  for (let turn = 0; turn < MAX_TURNS; turn++) {
    await new Promise((resolve) => setImmediate(resolve))
    if (isSettled) return marked
    clock.advance(50)
  }
  throw new Error(`${what} never ends`)
}

/** Runs a script to its end; warnings count as what it was told. Throws when a promise never settles or nobody handles it. */
export async function runScript(chapter: Chapter, scene: Scene): Promise<void> {
  const stray: unknown[] = []
  const onStray = (reason: unknown) => void stray.push(reason)
  const warnings = vi.spyOn(process, 'emitWarning').mockImplementation((error) => {
    scene.ledger.failures.push({ what: 'a warning', error })
  })
  process.on('unhandledRejection', onStray)
  try {
    await settled(scene.clock, 'the script', chapter.run(scene))
    await new Promise((resolve) => setImmediate(resolve))
  } finally {
    process.off('unhandledRejection', onStray)
    warnings.mockRestore()
  }
  if (stray.length > 0) throw new Error(`nobody handles ${String(stray[0])}`, { cause: stray[0] })
}

/** Runs a chapter with one trouble, or none. Throws what must not be. */
export async function runChapter(
  chapter: Chapter,
  start: { disk: MemoryStorage; ledger: Ledger },
  trouble: Trouble | null,
): Promise<Ended> {
  const disk = start.disk.clone()
  const openFiles = watchOpenFiles(disk)
  const storage = new FaultyStorage(disk)
  const ledger = start.ledger.fork()
  const ended: Ended = { ledger, calls: [] }
  const images: Image[] = []
  const isShort = trouble?.kind.startsWith('short') === true
  if (trouble !== null) {
    const { call, sticky, kind } = trouble
    if (isShort) storage.shorten = { call, sticky, to: (length) => (kind === 'short 1' ? 1 : Math.ceil(length / 2)) }
    else {
      storage.failAt({ call, sticky, code: kind })
      // where nothing works any more, what there is before the close says it all
      ledger.onStep = () => {
        if (sticky || images.length > 0 || storage.calls.length <= call) return
        images.push({ disk: disk.crash(), at: ledger.now, survival: 'power cut' })
        images.push({ disk: disk.crash(ALL_KEPT), at: ledger.now, survival: 'kill' })
      }
      ledger.beforeClose = () => {
        if (storage.calls.length > call) images.push({ disk: disk.crash(), at: ledger.now, survival: 'power cut' })
      }
    }
  }
  const scene = sceneOn(storage, ledger)
  await runScript(chapter, scene)
  ended.calls = [...storage.calls]
  if (openFiles.length > 0) throw new Error(`files left open: ${openFiles.join()}`)
  checkFailures(ledger, isShort ? null : (trouble?.kind ?? null))
  storage.clearFaults()
  storage.shorten = null
  const isAccepted = trouble !== null && isAbove(storage.calls[trouble.call], trouble.kind)
  for (const { disk, at, survival } of images)
    if (!isAccepted || survival === 'kill') await checkImage(disk, ledger, survival, at)
  await checkGoesOn(storage, ledger, openFiles)
  return ended
}

/** Whoever may not look into the directories above the log has not just created anything in them. */
function isAbove(call: Call | undefined, code: string): boolean {
  return call?.kind === 'syncDirectory' && DIRECTORY.startsWith(`${call.path}/`.replace('//', '/'))
    ? code === 'EACCES' || code === 'EROFS'
    : false
}

const OF_THE_DISK = ['KAFKA_STORAGE_ERROR', 'DISK_FULL', 'PERMISSION_DENIED']
/** What follows from a call that has failed before. */
const CONSEQUENCES = [
  'UNKNOWN_TOPIC_OR_PARTITION',
  'TOPIC_ALREADY_EXISTS',
  'INVALID_PARTITIONS',
  'GROUP_ID_NOT_FOUND',
  'UNKNOWN_MEMBER_ID',
  'ILLEGAL_GENERATION',
  'CLOSED',
]

/** All that callers were told is typed, names the place and keeps the cause, which is the fault of the disk. */
export function checkFailures(
  ledger: Ledger,
  code: string | null,
  isExpected: (failure: Failure) => boolean = () => false,
): void {
  let isTold = false
  for (const failure of ledger.failures) {
    const { what, error } = failure
    const told = `'${what}' was told ${String(error)}`
    if (!(error instanceof VarveError)) throw new Error(`${told}, which is not typed`, { cause: error })
    if (code === null) throw new Error(told, { cause: error })
    if (OF_THE_DISK.includes(error.code)) {
      isTold = true
      if (/\bdamaged\b/.test(error.message)) throw new Error(`${told}, which tells of damage`, { cause: error })
      if ((error.details.path ?? '') === '') throw new Error(`${told}, which names no path`, { cause: error })
      if (!causesOf(error).includes(code)) throw new Error(`${told}, without its cause`, { cause: error })
    } else if (!isExpected(failure) && (!isTold || !CONSEQUENCES.includes(error.code)))
      throw new Error(`${told} (${error.code}), which is not what has happened`, { cause: error })
  }
}

function causesOf(error: unknown): (string | undefined)[] {
  const codes: (string | undefined)[] = []
  for (let one = error; one instanceof Error; one = one.cause) codes.push(systemErrorCode(one))
  return codes
}

async function checkImage(disk: MemoryStorage, ledger: Ledger, survival: Survival, at: number): Promise<void> {
  const { clock, open } = sceneOn(disk, ledger)
  const look = async () => {
    const log = await open()
    checkNoDamage(log)
    await ledger.check(log, survival, at)
    await log.close()
  }
  await settled(clock, `a look at what a ${survival} leaves`, named(`after a ${survival}`, look()))
}

/** On the same disk, healthy again: nothing acknowledged is gone, every partition goes on, and a close is in order. */
async function checkGoesOn(storage: FaultyStorage, ledger: Ledger, openFiles: readonly string[]): Promise<void> {
  const { clock, open } = sceneOn(storage, ledger)
  const goOn = async () => {
    const log = await open()
    checkNoDamage(log)
    await ledger.check(log, 'kill')
    const added: string[] = []
    for (const { name, partitions } of await log.listTopics()) {
      for (const { partition, logEndOffset } of partitions) {
        const { offset } = await log.append(name, { partition, key: 'k', value: `after ${name}` })
        if (offset !== logEndOffset) throw new Error(`${name}-${partition} goes on at ${offset}, not ${logEndOffset}`)
        added.push(`${name}-${partition}`)
      }
    }
    await log.close()
    const again = await open()
    const { clean, scannedBytes } = again.recovery
    if (!clean || scannedBytes > 0) throw new Error('the next open finds a log that was not closed in order')
    checkNoDamage(again)
    for (const { name, partitions } of await again.listTopics()) {
      for (const { partition, logEndOffset } of partitions) {
        const { value } = await again.read(name, { partition, from: logEndOffset - 1 }).next()
        if (value?.valueBytes.toString() !== `after ${name}`) throw new Error(`${name}-${partition} does not go on`)
      }
    }
    await again.close()
    if (openFiles.length > 0) throw new Error(`files left open: ${openFiles.join()}`)
  }
  await settled(clock, 'going on', named('on the same disk, healthy again', goOn()))
}

function checkNoDamage(log: Varve): void {
  const { damage } = log.recovery
  if (damage.length > 0) throw new Error(`damage was found: ${JSON.stringify(damage)}`)
}

async function named<T>(when: string, promise: Promise<T>): Promise<T> {
  return promise.catch((error: unknown) => {
    throw new Error(`${when}: ${String(error)}`, { cause: error })
  })
}

/** The paths of the files that are open on a disk, from now on. */
export function watchOpenFiles(disk: MemoryStorage): string[] {
  const paths: string[] = []
  const openFile = disk.openFile.bind(disk)
  disk.openFile = async (path, mode) => {
    const file = await openFile(path, mode)
    const close = file.close.bind(file)
    paths.push(path)
    file.close = () => {
      paths.splice(paths.indexOf(path), 1)
      return close()
    }
    return file
  }
  return paths
}
