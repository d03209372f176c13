import { describe, expect, test } from 'vitest'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { readFully, writeFully } from '../../src/storage/storage.ts'
import { describeStorageContract } from '../storage/storage-contract.ts'
import { FaultyStorage } from './faulty-storage.ts'
import { SyncGate } from './sync-gate.ts'

describeStorageContract('FaultyStorage with writes and reads of one byte', async () => {
  const storage = new FaultyStorage(new MemoryStorage())
  storage.maxWriteBytes = 1
  storage.maxReadBytes = 1
  await storage.makeDirectory('/directory')
  return { storage, directory: '/directory', remove: async () => {} }
})

describe('FaultyStorage', () => {
  test('logs and counts every call', async () => {
    const storage = new FaultyStorage(new MemoryStorage())
    const file = await storage.openFile('/a', 'create')
    file.write(Buffer.from('abc'), 0)
    await file.sync()
    await file.read(Buffer.alloc(2), 1)
    await file.close()
    await storage.rename('/a', '/b')
    expect(storage.calls).toEqual([
      { index: 0, kind: 'create', path: '/a' },
      { index: 1, kind: 'write', path: '/a', position: 0, length: 3 },
      { index: 2, kind: 'sync', path: '/a' },
      { index: 3, kind: 'read', path: '/a', position: 1, length: 2 },
      { index: 4, kind: 'close', path: '/a' },
      { index: 5, kind: 'rename', path: '/a', to: '/b' },
    ])
    expect(storage.counts).toMatchObject({ create: 1, write: 1, sync: 1, read: 1, close: 1, rename: 1, open: 0 })
  })

  test('fails one call by its index', async () => {
    const storage = new FaultyStorage(new MemoryStorage())
    storage.failAt({ call: 1, code: 'EIO' })
    const file = await storage.openFile('/a', 'create')
    expect(() => file.write(Buffer.from('abc'), 0)).toThrow(expect.objectContaining({ code: 'EIO', path: '/a' }))
    expect(await file.size()).toBe(0)
    expect(file.write(Buffer.from('abc'), 0)).toBe(3)
    expect(storage.calls.map(({ fault }) => fault)).toEqual([undefined, 'EIO', undefined, undefined])
  })

  test('fails every call from an index on, until the faults are cleared', async () => {
    const storage = new FaultyStorage(new MemoryStorage())
    storage.failAt({ call: 1, code: 'EIO', sticky: true })
    const file = await storage.openFile('/a', 'create')
    await expect(file.sync()).rejects.toMatchObject({ code: 'EIO' })
    await expect(storage.list('/')).rejects.toMatchObject({ code: 'EIO' })
    storage.clearFaults()
    await file.sync()
  })

  test('fails the calls that a predicate names', async () => {
    const storage = new FaultyStorage(new MemoryStorage())
    const stop = storage.failAt({
      call: (kind, path) => kind === 'sync' && path.endsWith('b'),
      code: 'EIO',
      sticky: true,
    })
    const [a, b] = [await storage.openFile('/a', 'create'), await storage.openFile('/b', 'create')]
    await a.sync()
    await expect(b.sync()).rejects.toMatchObject({ code: 'EIO' })
    await expect(b.sync()).rejects.toMatchObject({ code: 'EIO' })
    stop()
    await b.sync()
    storage.failAt({ call: (kind) => kind === 'sync', code: 'EIO' })
    await expect(a.sync()).rejects.toMatchObject({ code: 'EIO' })
    await a.sync()
  })

  test('lets one read or write fall short, or all from one on, and no other call', async () => {
    const storage = new FaultyStorage(new MemoryStorage())
    const file = await storage.openFile('/a', 'create')
    storage.shorten = { call: 2, to: () => 1 }
    expect([1, 2, 3].map((position) => file.write(Buffer.alloc(4), position))).toEqual([4, 1, 4])
    storage.shorten = { call: 5, sticky: true, to: (length) => Math.ceil(length / 2) }
    expect(await file.read(Buffer.alloc(6), 0)).toBe(6)
    expect(await file.read(Buffer.alloc(6), 0)).toBe(3)
    expect(await file.read(Buffer.alloc(1), 0)).toBe(1)
    expect(file.write(Buffer.alloc(5), 0)).toBe(3)
    expect(await file.size()).toBe(7)
  })

  test('can fail a call that took effect', async () => {
    const storage = new FaultyStorage(new MemoryStorage())
    storage.failAt({ call: 0, code: 'EIO', takesEffect: true })
    await expect(storage.openFile('/a', 'create')).rejects.toMatchObject({ code: 'EIO' })
    expect(await storage.list('/')).toEqual([{ name: 'a', kind: 'file' }])
  })

  test('closes a file also when close fails', async () => {
    const storage = new FaultyStorage(new MemoryStorage())
    storage.failAt({ call: 1, code: 'EIO' })
    const file = await storage.openFile('/a', 'create')
    await expect(file.close()).rejects.toMatchObject({ code: 'EIO' })
    await expect(file.close()).rejects.toMatchObject({ code: 'EBADF' })
  })

  test('is full like a disk: a write is done in part, the next one fails, and removal makes room', async () => {
    const storage = new FaultyStorage(new MemoryStorage())
    storage.capacityBytes = 10
    const a = await storage.openFile('/a', 'create')
    const b = await storage.openFile('/b', 'create')
    expect(a.write(Buffer.alloc(6), 0)).toBe(6)
    expect(b.write(Buffer.alloc(6), 0)).toBe(4)
    expect(() => b.write(Buffer.alloc(2), 4)).toThrow(expect.objectContaining({ code: 'ENOSPC' }))
    expect(() => writeFully(b, Buffer.alloc(6), 0)).toThrow(expect.objectContaining({ code: 'ENOSPC' }))
    expect(b.write(Buffer.alloc(4), 0)).toBe(4)
    await storage.rename('/a', '/c')
    await storage.removeFile('/c')
    expect(storage.usedBytes).toBe(10)
    await a.close()
    expect(storage.usedBytes).toBe(4)
    writeFully(b, Buffer.alloc(6), 4)
    await b.truncate(3)
    expect(storage.usedBytes).toBe(3)
    storage.capacityBytes = 4
    expect(b.write(Buffer.alloc(6), 3)).toBe(1)
  })

  test('falls short in writes and reads', async () => {
    const storage = new FaultyStorage(new MemoryStorage())
    storage.maxWriteBytes = 2
    storage.maxReadBytes = 1
    const file = await storage.openFile('/a', 'create')
    writeFully(file, Buffer.from('abcde'), 0)
    const target = Buffer.alloc(5)
    expect(await readFully(file, target, 0)).toBe(5)
    expect(target.toString()).toBe('abcde')
    expect(storage.counts).toMatchObject({ write: 3, read: 5 })
  })

  test('holds syncs at the gate, and what is written meanwhile is not covered by them', async () => {
    const memory = new MemoryStorage()
    const storage = new FaultyStorage(memory)
    const gate = new SyncGate()
    storage.syncGate = gate
    const file = await storage.openFile('/a', 'create')
    await storage.syncDirectory('/')
    file.write(Buffer.from('one'), 0)
    let synced = false
    const sync = file.sync().then(() => (synced = true))
    await gate.arrived()
    file.write(Buffer.from('two'), 3)
    expect(gate.paths).toEqual(['/a'])
    expect((await memory.crash().readFile('/a')).toString()).toBe('')
    expect(synced).toBe(false)
    gate.release()
    await sync
    expect((await memory.crash().readFile('/a')).toString()).toBe('one')
    gate.open()
    await file.sync()
    expect((await memory.crash().readFile('/a')).toString()).toBe('onetwo')
  })

  test('fails the syncs at the gate, and then nothing of them is durable', async () => {
    const memory = new MemoryStorage()
    const storage = new FaultyStorage(memory)
    const gate = (storage.syncGate = new SyncGate())
    const file = await storage.openFile('/a', 'create')
    await storage.syncDirectory('/')
    file.write(Buffer.from('one'), 0)
    const sync = file.sync()
    await gate.arrived()
    gate.fail(new Error('the disk is gone'))
    await expect(sync).rejects.toThrow('the disk is gone')
    expect((await memory.crash().readFile('/a')).toString()).toBe('')
  })
})
