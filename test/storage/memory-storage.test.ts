import { describe, expect, test } from 'vitest'
import type { PendingDirectoryOperation, PendingTruncate, PendingWrite } from '../../src/storage/memory-crash.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import type { StorageFile } from '../../src/storage/storage.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'
import { SyncGate } from '../helpers/sync-gate.ts'
import { describeStorageContract } from './storage-contract.ts'

describeStorageContract('MemoryStorage', async () => {
  const storage = new MemoryStorage()
  await storage.makeDirectory('/directory')
  return { storage, directory: '/directory', remove: async () => {} }
})

/** A file in the root directory with durable content. */
async function durableFile(storage: MemoryStorage, path: string, content = ''): Promise<StorageFile> {
  const file = await storage.openFile(path, 'create')
  file.write(Buffer.from(content), 0)
  await file.sync()
  await storage.syncDirectory('/')
  return file
}

async function read(storage: MemoryStorage, path: string): Promise<string> {
  return (await storage.readFile(path)).toString('latin1')
}

async function names(storage: MemoryStorage, path = '/'): Promise<string[]> {
  return (await storage.list(path)).map(({ name }) => name)
}

describe('a power cut takes', () => {
  test('bytes that were not synced, and leaves those that were', async () => {
    const storage = new MemoryStorage()
    const file = await durableFile(storage, '/a', 'durable')
    file.write(Buffer.from('lost'), 7)
    file.write(Buffer.from('X'), 0)
    expect(await read(storage, '/a')).toBe('Xurablelost')
    expect(await read(storage.crash(), '/a')).toBe('durable')
    await file.sync()
    expect(await read(storage.crash(), '/a')).toBe('Xurablelost')
  })

  test('a truncate that was not synced', async () => {
    const storage = new MemoryStorage()
    const file = await durableFile(storage, '/a', 'abcdef')
    await file.truncate(2)
    file.write(Buffer.from('Z'), 4)
    expect(await read(storage, '/a')).toBe('ab\0\0Z')
    expect(await read(storage.crash(), '/a')).toBe('abcdef')
    await file.sync()
    expect(await read(storage.crash(), '/a')).toBe('ab\0\0Z')
  })

  test('a file whose directory was not synced, although its bytes were', async () => {
    const storage = new MemoryStorage()
    const file = await storage.openFile('/a', 'create')
    file.write(Buffer.from('x'), 0)
    await file.sync()
    expect(await names(storage.crash())).toEqual([])
    await storage.syncDirectory('/')
    expect(await read(storage.crash(), '/a')).toBe('x')
  })

  test('a directory that its parent does not durably hold, with all that is in it', async () => {
    const storage = new MemoryStorage()
    await storage.makeDirectory('/a/b')
    await storage.openFile('/a/b/c', 'create')
    await storage.syncDirectory('/a/b')
    expect(await names(storage.crash())).toEqual([])
    await storage.syncDirectory('/')
    expect(await names(storage.crash(), '/a')).toEqual([])
    await storage.syncDirectory('/a')
    expect(await names(storage.crash(), '/a/b')).toEqual(['c'])
  })

  test('a rename, so that both old files are there, until the directory is synced', async () => {
    const storage = new MemoryStorage()
    await durableFile(storage, '/a', 'new')
    await durableFile(storage, '/b', 'old')
    await storage.rename('/a', '/b')
    const lost = storage.crash()
    expect([await read(lost, '/a'), await read(lost, '/b')]).toEqual(['new', 'old'])
    await storage.syncDirectory('/')
    const kept = storage.crash()
    expect([await names(kept), await read(kept, '/b')]).toEqual([['b'], 'new'])
  })

  test('half of a rename across directories of which one was synced', async () => {
    const make = async () => {
      const storage = new MemoryStorage()
      await storage.makeDirectory('/from')
      await storage.makeDirectory('/to')
      await durableFile(storage, '/from/a', 'content')
      await storage.syncDirectory('/from')
      await storage.rename('/from/a', '/to/b')
      return storage
    }
    const left = await make()
    await left.syncDirectory('/from')
    expect([await names(left.crash(), '/from'), await names(left.crash(), '/to')]).toEqual([[], []])
    const arrived = await make()
    await arrived.syncDirectory('/to')
    const both = arrived.crash()
    expect([await read(both, '/from/a'), await read(both, '/to/b')]).toEqual(['content', 'content'])
    const file = await both.openFile('/from/a', 'write')
    file.write(Buffer.from('one'), 0)
    expect(await read(both, '/to/b')).toBe('onetent')
  })

  test('a removal: the file is back with its durable bytes', async () => {
    const storage = new MemoryStorage()
    const file = await durableFile(storage, '/a', 'durable')
    file.write(Buffer.from('lost'), 7)
    await storage.removeFile('/a')
    expect(await read(storage.crash(), '/a')).toBe('durable')
    await storage.syncDirectory('/')
    expect(await names(storage.crash())).toEqual([])
  })

  test('the removal of a directory in parts', async () => {
    const storage = new MemoryStorage()
    await storage.makeDirectory('/topic')
    for (const name of ['/topic/a', '/topic/b']) await durableFile(storage, name, name)
    await storage.syncDirectory('/topic')
    await storage.removeDirectory('/topic')
    expect(await names(storage.crash(), '/topic')).toEqual(['a', 'b'])
    const part = storage.crash({ keepDirectoryOperation: ({ path }) => path === '/topic/a' })
    expect(await names(part, '/topic')).toEqual(['b'])
    await storage.syncDirectory('/')
    expect(await names(storage.crash())).toEqual([])
  })

  test('nothing from the disk that it happened to', async () => {
    const storage = new MemoryStorage()
    const file = await durableFile(storage, '/a', 'abc')
    file.write(Buffer.from('def'), 3)
    const crashed = storage.crash()
    const other = await crashed.openFile('/a', 'write')
    other.write(Buffer.from('X'), 0)
    await crashed.openFile('/b', 'create')
    await crashed.syncDirectory('/')
    file.write(Buffer.from('Y'), 1)
    expect([await read(storage, '/a'), await names(storage)]).toEqual(['aYcdef', ['a']])
    expect([await read(crashed, '/a'), await names(crashed)]).toEqual(['Xbc', ['a', 'b']])
    expect(await read(storage.crash(), '/a')).toBe('abc')
    expect(await read(crashed.crash(), '/a')).toBe('abc')
  })
})

describe('what was not synced survives a power cut', () => {
  async function threeWrites(): Promise<MemoryStorage> {
    const storage = new MemoryStorage()
    const a = await durableFile(storage, '/a', '0123')
    const b = await durableFile(storage, '/b')
    a.write(Buffer.from('AAAA'), 4)
    b.write(Buffer.from('bb'), 0)
    a.write(Buffer.from('CC'), 6)
    return storage
  }

  test('write by write, in the order of the writes over all files', async () => {
    const storage = await threeWrites()
    const seen: PendingWrite[] = []
    storage.crash({ choose: (write) => (seen.push(write), 0) })
    const [first] = seen
    expect(seen).toEqual([
      { path: '/a', position: 4, length: 4, sizeBefore: 4, index: 0, sequence: first.sequence },
      { path: '/b', position: 0, length: 2, sizeBefore: 0, index: 1, sequence: first.sequence + 1 },
      { path: '/a', position: 6, length: 2, sizeBefore: 8, index: 2, sequence: first.sequence + 2 },
    ])
    const kept = (counts: number[]) => storage.crash({ choose: ({ index }) => counts[index] })
    expect(await read(kept([4, 2, 2]), '/a')).toBe('0123AACC')
    expect(await read(kept([4, 0, 0]), '/a')).toBe('0123AAAA')
    expect(await read(kept([1, 1, 0]), '/a')).toBe('0123A')
    expect(await read(kept([1, 1, 0]), '/b')).toBe('b')
    expect(await read(kept([1, 1, 1]), '/a')).toBe('0123A\0C')
    expect(await read(kept([0, 0, 2]), '/a')).toBe('0123\0\0CC')
  })

  test('sector by sector', async () => {
    const storage = await threeWrites()
    const crashed = storage.crash({
      choose: ({ index }) =>
        index === 0
          ? [
              [1, 2],
              [3, 4],
            ]
          : [],
    })
    expect(await read(crashed, '/a')).toBe('0123\0A\0A')
    expect(() => storage.crash({ choose: () => 5 })).toThrow(RangeError)
    expect(() => storage.crash({ choose: () => [[2, 1]] })).toThrow(RangeError)
    expect(() => storage.crash({ choose: () => -1 })).toThrow(RangeError)
  })

  test('as the size alone, with zeros or garbage for the bytes', async () => {
    const storage = await threeWrites()
    const choose = ({ index }: PendingWrite) => (index === 0 ? 1 : 0)
    expect(await read(storage.crash({ choose, size: 'written' }), '/a')).toBe('0123A\0\0\0')
    expect(await read(storage.crash({ size: 'written' }), '/b')).toBe('\0\0')
    const garbage = await storage.crash({ choose, size: 'written', fill: 'garbage' }).readFile('/a')
    expect(garbage.toString('latin1', 0, 5)).toBe('0123A')
    expect(garbage).toHaveLength(8)
    expect([...garbage.subarray(5)]).not.toContain(0)
    const again = await storage.crash({ choose, size: 'written', fill: 'garbage' }).readFile('/a')
    expect(again.equals(garbage)).toBe(true)
  })

  test('never as garbage in place of bytes that were durable', async () => {
    const storage = new MemoryStorage()
    const file = await durableFile(storage, '/a', '0123')
    file.write(Buffer.from('XXXX'), 0)
    expect(await read(storage.crash({ size: 'written', fill: 'garbage' }), '/a')).toBe('0123')
  })

  test('truncate by truncate', async () => {
    const storage = new MemoryStorage()
    const file = await durableFile(storage, '/a', '0123456789')
    await file.truncate(4)
    file.write(Buffer.from('X'), 5)
    await file.truncate(8)
    const seen: PendingTruncate[] = []
    storage.crash({ keepTruncate: (truncate) => (seen.push(truncate), false) })
    const [first] = seen
    expect(seen).toEqual([
      { path: '/a', size: 4, index: 0, sequence: first.sequence },
      { path: '/a', size: 8, index: 1, sequence: first.sequence + 2 },
    ])
    expect(await read(storage.crash({ keepTruncate: ({ index }) => index === 0 }), '/a')).toBe('0123')
    expect(await read(storage.crash({ choose: () => 1 }), '/a')).toBe('01234X6789')
    expect(await read(storage.crash({ keepTruncate: () => true, choose: () => 1 }), '/a')).toBe('0123\0X\0\0')
    expect(await read(storage.crash({ keepTruncate: () => true, fill: 'garbage' }), '/a')).toBe('0123\0\0\0\0')
  })

  test('directory operation by directory operation', async () => {
    const storage = new MemoryStorage()
    await storage.makeDirectory('directory')
    await storage.openFile('./directory/a', 'create')
    await storage.rename('directory/a', 'directory/../b')
    await storage.removeFile('b')
    const seen: PendingDirectoryOperation[] = []
    storage.crash({ keepDirectoryOperation: (operation) => (seen.push(operation), true) })
    expect(seen).toEqual([
      { kind: 'create', path: '/directory', index: 0, sequence: 1 },
      { kind: 'create', path: '/directory/a', index: 1, sequence: 2 },
      { kind: 'rename', path: '/directory/a', to: '/b', index: 2, sequence: 3 },
      { kind: 'remove', path: '/b', index: 3, sequence: 4 },
    ])
    const kept = (count: number) => storage.crash({ keepDirectoryOperation: ({ index }) => index < count })
    expect(await names(kept(0))).toEqual([])
    expect(await names(kept(1), '/directory')).toEqual([])
    expect(await names(kept(2), '/directory')).toEqual(['a'])
    expect(await names(kept(3))).toEqual(['b', 'directory'])
    expect(await names(kept(4))).toEqual(['directory'])
    const renameOnly = storage.crash({ keepDirectoryOperation: ({ kind }) => kind === 'rename' })
    expect(await names(renameOnly)).toEqual(['b'])
  })

  test('and is durable then', async () => {
    const storage = await threeWrites()
    await storage.openFile('/c', 'create')
    const once = storage.crash({ choose: ({ length }) => length, keepDirectoryOperation: () => true })
    const twice = once.crash({ choose: () => expect.unreachable(), keepDirectoryOperation: () => expect.unreachable() })
    expect([await read(twice, '/a'), await names(twice)]).toEqual(['0123AACC', ['a', 'b', 'c']])
  })

  test('as a simple model of a disk says, for any writes, truncates and syncs', async () => {
    const random = new SeededRandom()
    for (let round = 0; round < 300; round++) {
      const storage = new MemoryStorage()
      const file = await durableFile(storage, '/a')
      const model = new ModelFile()
      for (let step = 0; step < 12; step++) {
        const position = random.below(40)
        const kind = random.pick(['write', 'write', 'write', 'truncate', 'sync', 'clone'] as const)
        if (kind === 'write') {
          const bytes = Buffer.alloc(1 + random.below(20), 97 + random.below(26))
          file.write(bytes, position)
          model.pending.push({ position, bytes })
        } else if (kind === 'truncate') {
          await file.truncate(position)
          model.pending.push({ position, bytes: null })
        } else if (kind === 'sync') {
          await file.sync()
          model.durable = model.image(() => Infinity)
          model.pending = []
        }
        const disk = kind === 'clone' ? storage.clone() : storage
        expect(await read(disk, '/a'), `seed ${random.seed} round ${round}: live`).toBe(model.image(() => Infinity))
        expect(await read(disk.crash(), '/a'), `seed ${random.seed} round ${round}: durable`).toBe(model.image(() => 0))

        const counts = model.pending.map(({ bytes }) => random.below((bytes?.length ?? 1) + 1))
        const ofWrites = counts.filter((_, at) => model.pending[at].bytes !== null)
        const ofTruncates = counts.filter((_, at) => model.pending[at].bytes === null)
        const crashed = disk.crash({
          choose: ({ index }) => ofWrites[index],
          keepTruncate: ({ index }) => ofTruncates[index] > 0,
        })
        const image = model.image((index) => counts[index])
        expect(await read(crashed, '/a'), `seed ${random.seed} round ${round}: ${counts.join()}`).toBe(image)
      }
    }
  })

  test('as a simple model of directories says, for any operations and syncs', async () => {
    const random = new SeededRandom()
    for (let round = 0; round < 300; round++) {
      const storage = new MemoryStorage()
      await storage.makeDirectory('/x')
      await storage.makeDirectory('/y')
      await storage.syncDirectory('/')
      const live = new Map<string, string>()
      const durable = new Map<string, string>()
      let pending: ModelOperation[] = []
      const apply = (entries: Map<string, string>, { edits }: ModelOperation, only = '/') => {
        for (const [path, content] of edits) {
          if (!path.startsWith(only)) continue
          if (content === null) entries.delete(path)
          else entries.set(path, content)
        }
      }
      for (let step = 0; step < 12; step++) {
        const anyPath = () => `/${random.pick(['x', 'y'])}/${random.pick(['a', 'b', 'c'])}`
        const [path, to] = [anyPath(), anyPath()]
        const kind = random.pick(['create', 'create', 'rename', 'remove', 'sync'] as const)
        const content = live.get(path)
        let operation: ModelOperation | null = null
        if (kind === 'create' && content === undefined) {
          const file = await storage.openFile(path, 'create')
          file.write(Buffer.from(`${step}`), 0)
          await file.sync()
          operation = { edits: [[path, `${step}`]] }
        } else if (kind === 'rename' && content !== undefined && path !== to) {
          await storage.rename(path, to)
          operation = {
            edits: [
              [path, null],
              [to, content],
            ],
          }
        } else if (kind === 'remove' && content !== undefined) {
          await storage.removeFile(path)
          operation = { edits: [[path, null]] }
        } else if (kind === 'sync') {
          const directory = path.slice(0, 3)
          await storage.syncDirectory(directory)
          for (const each of pending) apply(durable, each, directory)
          for (const each of pending) each.edits = each.edits.filter(([edited]) => !edited.startsWith(directory))
          pending = pending.filter(({ edits }) => edits.length > 0)
        }
        if (operation !== null) {
          apply(live, operation)
          pending.push(operation)
        }
        const disk = random.chance(0.3) ? storage.clone() : storage
        expect(await contents(disk), `seed ${random.seed} round ${round}: live`).toEqual(new Map(live))
        expect(await contents(disk.crash()), `seed ${random.seed} round ${round}: durable`).toEqual(durable)
        const kept = pending.map(() => random.chance(0.5))
        const image = new Map(durable)
        for (const [index, each] of pending.entries()) if (kept[index]) apply(image, each)
        const crashed = disk.crash({ keepDirectoryOperation: ({ index }) => kept[index] })
        expect(await contents(crashed), `seed ${random.seed} round ${round}: ${kept.join()}`).toEqual(image)
      }
    }
  })
})

describe('a process that is killed', () => {
  test('leaves all that was written, still to be lost by a power cut', async () => {
    const storage = new MemoryStorage()
    const file = await durableFile(storage, '/a', 'durable')
    file.write(Buffer.from(' written'), 7)
    await storage.openFile('/b', 'create')
    const next = storage.clone()
    file.write(Buffer.from('X'), 0)
    expect(await read(next.crash({ choose: ({ length }) => length }), '/a')).toBe('durable written')
    expect([await read(next, '/a'), await names(next)]).toEqual(['durable written', ['a', 'b']])
    expect([await read(next.crash(), '/a'), await names(next.crash())]).toEqual(['durable', ['a']])
    const [reopened, unsynced] = [await next.openFile('/a', 'write'), await next.openFile('/b', 'write')]
    await reopened.sync()
    unsynced.write(Buffer.from('later'), 0)
    await unsynced.sync()
    expect(await read(next.crash({ keepDirectoryOperation: () => true }), '/b')).toBe('later')
    await next.syncDirectory('/')
    expect([await read(next.crash(), '/a'), await names(next.crash())]).toEqual(['durable written', ['a', 'b']])
    expect([await read(storage.crash(), '/a'), await names(storage.crash())]).toEqual(['durable', ['a']])
  })

  test('leaves the order of what was written', async () => {
    const storage = new MemoryStorage()
    const file = await durableFile(storage, '/b')
    await durableFile(storage, '/a')
    file.write(Buffer.from('before'), 0)
    const next = storage.clone()
    file.write(Buffer.from('elsewhere'), 0)
    const other = await next.openFile('/a', 'write')
    other.write(Buffer.from('after'), 0)
    const order: string[] = []
    next.crash({ choose: ({ path }) => (order.push(path), 0) })
    expect(order).toEqual(['/b', '/a'])
  })

  test('leaves no lock', async () => {
    const storage = new MemoryStorage()
    await storage.makeDirectory('/a')
    await storage.syncDirectory('/')
    await storage.lockDirectory('/a')
    for (const next of [storage.clone(), storage.crash()]) {
      const lock = await next.lockDirectory('/a')
      await expect(next.lockDirectory('/a')).rejects.toMatchObject({ code: 'LOCKED' })
      await lock.release()
    }
    await expect(storage.lockDirectory('/a')).rejects.toMatchObject({ code: 'LOCKED' })
  })
})

describe('a sync that takes its time', () => {
  test('covers what was written before it was called, and nothing later', async () => {
    const storage = new MemoryStorage()
    const file = await durableFile(storage, '/a')
    const gate = new SyncGate()
    storage.syncDelay = (path) => gate.pass(path)
    file.write(Buffer.from('before'), 0)
    const sync = file.sync()
    file.write(Buffer.from('XX after'), 4)
    expect(await read(storage.crash(), '/a')).toBe('')
    gate.release()
    await sync
    expect(await read(storage.crash(), '/a')).toBe('before')
    expect(await read(storage, '/a')).toBe('befoXX after')
  })

  test('and fails makes nothing durable', async () => {
    const storage = new MemoryStorage()
    const file = await durableFile(storage, '/a')
    storage.syncDelay = () => Promise.reject(new Error('the disk is gone'))
    file.write(Buffer.from('lost'), 0)
    await expect(file.sync()).rejects.toThrow('the disk is gone')
    expect(await read(storage.crash(), '/a')).toBe('')
  })

  for (const failedSync of ['dropped', 'reverted'] as const) {
    test(`and fails: what it was to write is ${failedSync}, and no later sync writes it`, async () => {
      const storage = new MemoryStorage()
      storage.failedSync = failedSync
      const file = await durableFile(storage, '/a', 'abcdef')
      file.write(Buffer.from('XYZ'), 4)
      file.write(Buffer.from('B'), 1)
      storage.syncDelay = () => Promise.reject(new Error('EIO'))
      await expect(file.sync()).rejects.toThrow('EIO')
      storage.syncDelay = undefined
      const isDropped = failedSync === 'dropped'
      expect(await read(storage, '/a')).toBe(isDropped ? 'aBcdXYZ' : 'abcdef')
      expect(await read(storage.clone(), '/a')).toBe(isDropped ? 'aBcdXYZ' : 'abcdef')
      expect(await read(storage.crash({ choose: ({ length }) => length }), '/a')).toBe('abcdef')
      await file.sync()
      expect(await read(storage.crash(), '/a')).toBe('abcdef')
      // what is written after that gets there; in between is nothing
      file.write(Buffer.from('!'), 8)
      const pending = storage.crash({ choose: ({ length }) => length })
      expect(await read(pending, '/a')).toBe('abcdef\0\0!')
      await file.sync()
      for (const disk of [storage, storage.clone()]) expect(await read(disk.crash(), '/a')).toBe('abcdef\0\0!')
      // and so does what is written anew
      file.write(Buffer.from('aBcdXYZ'), 0)
      await file.sync()
      expect(await read(storage.crash(), '/a')).toBe('aBcdXYZ\0!')
    })
  }

  test('and drops only what was written before it was called', async () => {
    const storage = new MemoryStorage()
    storage.failedSync = 'dropped'
    const gate = new SyncGate()
    storage.syncDelay = (path) => gate.pass(path)
    const file = await storage.openFile('/a', 'create')
    await storage.syncDirectory('/')
    file.write(Buffer.from('lost'), 0)
    const failed = file.sync()
    file.write(Buffer.from('later'), 4)
    gate.fail(new Error('EIO'))
    await expect(failed).rejects.toThrow('EIO')
    storage.syncDelay = undefined
    await file.truncate(8)
    await file.sync()
    expect(await read(storage, '/a')).toBe('lostlate')
    expect(await read(storage.crash(), '/a')).toBe('\0\0\0\0late')
  })

  test('and the next one writes only what was written before it was called', async () => {
    const storage = new MemoryStorage()
    storage.failedSync = 'dropped'
    const file = await durableFile(storage, '/a', 'abcdef')
    storage.syncDelay = () => Promise.reject(new Error('EIO'))
    file.write(Buffer.from('X'), 0)
    await expect(file.sync()).rejects.toThrow('EIO')
    const gate = new SyncGate()
    storage.syncDelay = (path) => gate.pass(path)
    file.write(Buffer.from('Y'), 1)
    const sync = file.sync()
    file.write(Buffer.from('Z'), 2)
    gate.release()
    await sync
    expect(await read(storage, '/a')).toBe('XYZdef')
    expect(await read(storage.crash(), '/a')).toBe('aYcdef')
  })

  test('is waited for by close', async () => {
    const storage = new MemoryStorage()
    const file = await durableFile(storage, '/a')
    const gate = new SyncGate()
    storage.syncDelay = (path) => gate.pass(path)
    file.write(Buffer.from('x'), 0)
    const order: string[] = []
    const sync = file.sync().then(() => order.push('sync'))
    const close = file.close().then(() => order.push('close'))
    await new Promise((resolve) => setImmediate(resolve))
    expect(order).toEqual([])
    gate.release()
    await Promise.all([sync, close])
    expect(order).toEqual(['sync', 'close'])
    expect(await read(storage.crash(), '/a')).toBe('x')
  })
})

describe('MemoryStorage is fast enough for a million power cuts:', () => {
  test('200,000 small writes, some of them synced, cost a constant time each', async () => {
    const storage = new MemoryStorage()
    const file = await durableFile(storage, '/a')
    const record = Buffer.alloc(100, 'x')
    const start = performance.now()
    for (let index = 0; index < 100_000; index++) file.write(record, index * 100)
    await file.sync()
    for (let index = 100_000; index < 200_000; index++) {
      file.write(record, index * 100)
      if (index % 10 === 0) await file.sync()
    }
    // Quadratic would be minutes.
    expect(performance.now() - start).toBeLessThan(3_000)
    expect(
      await storage
        .crash()
        .openFile('/a', 'read')
        .then((crashed) => crashed.size()),
    ).toBe(199_991 * 100)
  })

  test('a power cut of a small directory takes well under a millisecond', async () => {
    const storage = new MemoryStorage()
    for (const name of ['/a', '/b', '/c', '/d']) {
      const file = await durableFile(storage, name, 'x'.repeat(16_384))
      for (let index = 0; index < 10; index++) file.write(Buffer.alloc(500, 'y'), 16_384 + index * 500)
    }
    const choose = ({ length }: PendingWrite) => length >> 1
    const best = Math.min(
      ...Array.from({ length: 20 }, () => {
        const start = performance.now()
        for (let round = 0; round < 20; round++)
          storage.crash({ choose, size: 'written', keepDirectoryOperation: () => true })
        return (performance.now() - start) / 20
      }),
    )
    expect(best).toBeLessThan(1)
  })
})

interface ModelOperation {
  edits: [path: string, content: string | null][]
}

/** A file as a list of changes on durable bytes, slow and plain. */
class ModelFile {
  durable = ''
  pending: { position: number; bytes: Buffer | null }[] = []

  /** The content when `kept` bytes of each write survive, and each truncate of which it is not 0. */
  image(kept: (index: number) => number): string {
    let content = this.durable
    for (const [index, { position, bytes }] of this.pending.entries()) {
      const count = Math.min(kept(index), bytes?.length ?? 1)
      if (count === 0) continue
      const before = content.slice(0, position).padEnd(position, '\0')
      content = bytes === null ? before : before + bytes.toString('latin1', 0, count) + content.slice(position + count)
    }
    return content
  }
}

/** Path and content of every file. */
async function contents(storage: MemoryStorage): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for (const directory of await storage.list('/')) {
    for (const { name } of await storage.list(directory.name)) {
      found.set(`/${directory.name}/${name}`, await read(storage, `${directory.name}/${name}`))
    }
  }
  return found
}
