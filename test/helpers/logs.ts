/** What the tests of the public API share. */
import { expect } from 'vitest'
import type { ReadOptions } from '../../src/client/read-options.ts'
import { Varve } from '../../src/client/varve.ts'
import type { ConsumerRecord } from '../../src/codec/record.ts'
import type { RecordBatch } from '../../src/codec/stored-batch.ts'
import type { VarveOptions } from '../../src/engine/open-options.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { writeFully, type Storage } from '../../src/storage/storage.ts'

export const DIRECTORY = '/data/events'

/** Opens a log, in a new memory unless told otherwise. */
export function openLog(options: Partial<VarveOptions> = {}): Promise<Varve> {
  return Varve.open({ directory: DIRECTORY, storage: new MemoryStorage(), ...options })
}

/** Reads what an iteration gives, to its end. */
export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

export function recordsOf(log: Varve, topic: string, options?: ReadOptions): Promise<ConsumerRecord[]> {
  return all(log.read(topic, options))
}

export async function valuesOf(log: Varve, topic: string, options?: ReadOptions): Promise<unknown[]> {
  const records = await recordsOf(log, topic, options)
  return records.map((record) => record.value as unknown)
}

export async function offsetsOf(log: Varve, topic: string, options?: ReadOptions): Promise<number[]> {
  const records = await recordsOf(log, topic, options)
  return records.map((record) => record.offset)
}

export function batchesOf(log: Varve, topic: string, options?: ReadOptions): Promise<RecordBatch[]> {
  return all(log.readBatches(topic, options))
}

/** What a promise is rejected with. */
export async function rejection(promise: Promise<unknown>): Promise<Error & { code?: string }> {
  const error: unknown = await promise.then(
    () => null,
    (reason: unknown) => reason,
  )
  expect(error, 'a rejection').toBeInstanceOf(Error)
  return error as Error & { code?: string }
}

/** What became of each promise: `'done'`, or the code or name of its error. */
export function outcomesOf(promises: Iterable<Promise<unknown>>): Promise<string[]> {
  const outcomes = [...promises].map((promise) =>
    promise.then(
      () => 'done',
      (error: Error & { code?: string }) => error.code ?? error.name,
    ),
  )
  return Promise.all(outcomes)
}

/** What a call throws at once. */
export function thrown(call: () => unknown): Error & { code?: string } {
  try {
    call()
  } catch (error) {
    return error as Error & { code?: string }
  }
  throw new Error('nothing was thrown')
}

/** Lets everything run that needs no time to pass. */
export async function idle(turns = 10): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve))
}

/** Every file below a directory by its path from there, as hex; directories end with a slash. */
export async function contentOf(storage: Storage, directory = DIRECTORY, prefix = ''): Promise<Map<string, string>> {
  const content = new Map<string, string>()
  for (const { name, kind } of await storage.list(directory)) {
    const path = `${directory}/${name}`
    if (kind === 'directory') {
      content.set(`${prefix}${name}/`, '')
      for (const entry of await contentOf(storage, path, `${prefix}${name}/`)) content.set(...entry)
    } else if (kind === 'file') content.set(prefix + name, (await storage.readFile(path)).toString('hex'))
  }
  return content
}

/** The names in a directory. */
export async function namesIn(storage: Storage, directory: string): Promise<string[]> {
  return (await storage.list(directory)).map(({ name }) => name)
}

/** Creates a file, durably. */
export async function putFile(storage: Storage, path: string, content: string | Uint8Array): Promise<void> {
  const directory = path.slice(0, path.lastIndexOf('/'))
  await storage.makeDirectory(directory)
  await storage.removeFile(path).catch(() => {})
  const file = await storage.openFile(path, 'create')
  writeFully(file, Buffer.from(content), 0)
  await file.sync()
  await file.close()
  await storage.syncDirectory(directory)
}

/** Changes bytes of a file in place. */
export async function changeFile(
  storage: Storage,
  path: string,
  change: (content: Buffer) => Buffer | void,
): Promise<void> {
  const content = await storage.readFile(path)
  await putFile(storage, path, change(content) ?? content)
}

/** Copies a directory with all its files, durably. */
export async function copyDirectory(storage: Storage, from: string, to: string): Promise<void> {
  await storage.makeDirectory(to)
  for (const { name, kind } of await storage.list(from)) {
    if (kind === 'file') await putFile(storage, `${to}/${name}`, await storage.readFile(`${from}/${name}`))
    if (kind === 'directory') await copyDirectory(storage, `${from}/${name}`, `${to}/${name}`)
  }
}

/** Path of a segment's file. */
export function segmentPath(
  topic: string,
  partition: number,
  baseOffset: number,
  suffix: string,
  root = DIRECTORY,
): string {
  return `${root}/${topic}-${partition}/${String(baseOffset).padStart(20, '0')}${suffix}`
}
