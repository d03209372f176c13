import { expect, test } from 'vitest'
import { Checkpointer } from '../../src/engine/checkpointer.ts'
import { CheckpointFiles, type Checkpoint } from '../../src/storage/checkpoint.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { idle, outcomesOf } from '../helpers/logs.ts'

/** Checkpoint files whose writes end when the test says so, and that notice when two overlap. */
class SlowFiles extends CheckpointFiles {
  readonly stored: Checkpoint[] = []
  overlapped = false
  private readonly held: { resolve: () => void; reject: (error: Error) => void }[] = []

  constructor() {
    super(new MemoryStorage(), '/log')
  }

  override async store(checkpoint: Checkpoint): Promise<void> {
    if (this.held.length > 0) this.overlapped = true
    this.stored.push(checkpoint)
    await new Promise<void>((resolve, reject) => this.held.push({ resolve, reject }))
  }

  end(): void {
    this.held.shift()!.resolve()
  }

  fail(): void {
    this.held.shift()!.reject(Object.assign(new Error('EIO: i/o error'), { code: 'EIO' }))
  }
}

function slowCheckpointer() {
  const files = new SlowFiles()
  const state = { version: 0, indexWrites: 0 }
  const snapshot = () => ({ clean: false, partitions: {}, version: state.version })
  const checkpointer = new Checkpointer(files, '/log', snapshot, async () => void state.indexWrites++)
  const versions = () => files.stored.map((checkpoint) => (checkpoint as Checkpoint & { version: number }).version)
  return { files, state, checkpointer, versions }
}

test('what is asked for during a write is in the next one, which all who asked share', async () => {
  const { files, state, checkpointer, versions } = slowCheckpointer()
  const first = checkpointer.store()
  state.version = 1
  const second = checkpointer.store()
  state.version = 2
  const third = checkpointer.store()
  files.end()
  await first
  await idle()
  expect(versions()).toEqual([0, 2])
  files.end()
  await Promise.all([second, third])
  expect(versions()).toEqual([0, 2])
})

test('writes never overlap, whoever asks at whatever moment', async () => {
  const { files, checkpointer } = slowCheckpointer()
  const first = checkpointer.store()
  const second = checkpointer.store()
  // just when the first has ended and the second is about to begin
  const third = first.then(() => checkpointer.store())
  files.end()
  await idle()
  expect(files.overlapped).toBe(false)
  files.end()
  await idle()
  if (files.stored.length > 2) files.end()
  await Promise.all([second, third])
  expect(files.overlapped).toBe(false)
})

test('a write that fails is told to those who asked for it, and the next one is made all the same', async () => {
  const { files, checkpointer, versions } = slowCheckpointer()
  const first = checkpointer.store()
  const second = checkpointer.store()
  files.fail()
  await expect(first).rejects.toMatchObject({ code: 'KAFKA_STORAGE_ERROR', cause: { code: 'EIO' } })
  await idle()
  files.end()
  await second
  expect(versions()).toHaveLength(2)
})

test('16 MiB that became durable bring a checkpoint, after the indexes; idle waits for it', async () => {
  const { files, state, checkpointer } = slowCheckpointer()
  checkpointer.synced(16 * 1024 * 1024 - 1)
  await idle()
  expect(files.stored).toHaveLength(0)
  checkpointer.synced(1)
  await idle()
  expect(state.indexWrites).toBe(1)
  expect(files.stored).toHaveLength(1)
  let isIdle = false
  const waiting = checkpointer.idle().then(() => (isIdle = true))
  await idle()
  expect(isIdle).toBe(false)
  files.end()
  await waiting
})

test('idle waits for the write that is under way and for the one asked for meanwhile, also where they fail', async () => {
  const { files, checkpointer } = slowCheckpointer()
  const outcomes = outcomesOf([checkpointer.store(), checkpointer.store()])
  let isIdle = false
  const waiting = checkpointer.idle().then(() => (isIdle = true))
  files.fail()
  await idle()
  expect(isIdle).toBe(false)
  files.fail()
  await waiting
  expect(await outcomes).toEqual(['KAFKA_STORAGE_ERROR', 'KAFKA_STORAGE_ERROR'])
})
