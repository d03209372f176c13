import { spawn, type ChildProcess } from 'node:child_process'
import cluster from 'node:cluster'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { LOCK_FILE, lockDirectory, type LockHolder, type LockMechanism } from '../../src/storage/directory-lock.ts'
import type { LockReport } from '../helpers/lock-child.ts'

const CHILD = fileURLToPath(new URL('../helpers/lock-child.ts', import.meta.url))
const TSX = import.meta.resolve('tsx')
const onLinux = process.platform === 'linux'
const mechanisms: LockMechanism[] = onLinux ? ['socket', 'file'] : process.platform === 'win32' ? ['pipe'] : ['file']

let directory: string
let children: Child[] = []

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'varve-lock-'))
})
afterEach(async () => {
  await Promise.all(children.map((child) => child.kill()))
  children = []
  await rm(directory, { recursive: true })
})

/** A process that takes the lock when it is told to. */
class Child {
  readonly process: ChildProcess
  private readonly lines: AsyncIterator<string>

  constructor(command: string[], mechanism: string) {
    const [program, ...rest] = [...command, process.execPath, '--import', TSX, CHILD, directory, mechanism]
    this.process = spawn(program, rest, { stdio: ['pipe', 'pipe', 'inherit'] })
    this.lines = createInterface({ input: this.process.stdout! })[Symbol.asyncIterator]()
  }

  async ready(): Promise<this> {
    const line = await this.line()
    if (line !== 'ready') throw new Error(`the child says '${line}'`)
    return this
  }

  async take(): Promise<LockReport> {
    this.process.stdin!.write('\n')
    return JSON.parse(await this.line()) as LockReport
  }

  /** Lets it release the lock and end. */
  async release(): Promise<void> {
    const ended = once(this.process, 'exit')
    this.process.stdin!.end()
    const [code, signal] = (await ended) as [number | null, string | null]
    if (code !== 0) throw new Error(`the child ended with ${code ?? signal}`)
  }

  async kill(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return
    const ended = once(this.process, 'exit')
    this.process.kill('SIGKILL')
    await ended
  }

  private async line(): Promise<string> {
    return ((await this.lines.next()) as IteratorResult<string, string>).value
  }
}

async function start({ mechanism = '', command = [] as string[] } = {}): Promise<Child> {
  const child = new Child(command, mechanism)
  children.push(child)
  return await child.ready()
}

async function readLockFile(): Promise<LockHolder> {
  return JSON.parse(await readFile(join(directory, LOCK_FILE), 'utf8')) as LockHolder
}

/** What /proc/<pid>/stat says, from the process's state on. */
async function processFields(pid: number | string): Promise<string[]> {
  return (await readFile(`/proc/${pid}/stat`, 'utf8')).replace(/^.*\) /s, '').split(' ')
}

async function writeLockFile(holder: LockHolder, name = LOCK_FILE): Promise<void> {
  await writeFile(join(directory, name), JSON.stringify(holder))
}

describe.each(mechanisms)('the lock by %s', (mechanism) => {
  const lock = () => lockDirectory(directory, mechanism)

  test('of processes that race goes to one, and the others name it', async () => {
    for (let round = 0; round < 3; round++) {
      const racers = await Promise.all([1, 2, 3, 4].map(() => start({ mechanism })))
      const reports = await Promise.all(racers.map((child) => child.take()))
      const winners = reports.filter(({ locked }) => locked)
      expect(winners).toHaveLength(1)
      const held = `'${directory}' is held by process ${winners[0].pid} on ${hostname()} since 20`
      for (const { code, message } of reports.filter(({ locked }) => !locked)) {
        expect(code).toBe('LOCKED')
        expect(message).toContain(held)
        expect(message).toContain('close it there, or open with readOnly')
      }
      // The next round starts from the file that a killed process leaves.
      await Promise.all(racers.map((child) => child.kill()))
      expect((await readLockFile()).pid).toBe(winners[0].pid)
    }
  })

  test('is free at once when its holder was killed', async () => {
    const holder = await start({ mechanism })
    expect(await holder.take()).toMatchObject({ locked: true })
    await expect(lock()).rejects.toMatchObject({ code: 'LOCKED' })
    await holder.kill()
    const before = performance.now()
    const next = await lock()
    expect(performance.now() - before).toBeLessThan(1_000)
    expect((await readLockFile()).pid).toBe(process.pid)
    await next.release()
  })

  test('is free when its holder released it, and then leaves no file behind', async () => {
    const holder = await start({ mechanism })
    expect(await holder.take()).toMatchObject({ locked: true })
    expect(await readdir(directory)).toEqual([LOCK_FILE])
    await holder.release()
    expect(await readdir(directory)).toEqual([])
    const next = await lock()
    await next.release()
    expect(await readdir(directory)).toEqual([])
  })

  test('is refused within 100 ms', async () => {
    const held = await lock()
    const times: number[] = []
    for (let round = 0; round < 5; round++) {
      const before = performance.now()
      await expect(lock()).rejects.toThrow(`is held by process ${process.pid} (this one) on`)
      times.push(performance.now() - before)
    }
    expect(Math.min(...times)).toBeLessThan(100)
    await held.release()
  })

  test('says who holds it', async () => {
    const held = await lock()
    const holder = await readLockFile()
    expect(holder).toMatchObject({
      pid: process.pid,
      hostname: hostname(),
      token: expect.stringMatching(/^[0-9a-f]{32}$/),
    })
    expect(Math.abs(Date.parse(holder.since) - Date.now())).toBeLessThan(5_000)
    await held.release()
  })

  test('minds no damaged file', async () => {
    for (const content of ['', '{', 'null', '[]', '"x"', '{"pid":0}', '\0'.repeat(4096), `{"pid":${process.pid}}`]) {
      await writeFile(join(directory, LOCK_FILE), content)
      const held = await lock()
      expect((await readLockFile()).pid).toBe(process.pid)
      await held.release()
      expect(await readdir(directory)).toEqual([])
    }
  })

  test('minds no file of a process that is gone', async () => {
    const held = await lock()
    const holder = await readLockFile()
    await held.release()
    // Of the process that started the tests, which is alive, in a network that is not ours.
    const alive = {
      ...holder,
      pid: process.ppid,
      startTime: undefined,
      networkNamespace: 'net:[1]',
      token: '0'.repeat(32),
    }
    const gone: LockHolder[] = [
      { ...alive, pid: 2 ** 22 + 1 },
      { ...alive, pid: Number.MAX_SAFE_INTEGER },
      { ...alive, hostname: 'some-other-host' },
      { ...alive, bootId: undefined, since: '2001-01-01T00:00:00.000Z' },
      ...(onLinux
        ? [
            { ...alive, bootId: 'of an earlier boot' },
            { ...alive, startTime: '1' },
          ]
        : []),
    ]
    for (const each of gone) {
      await writeLockFile(each)
      const next = await lock()
      expect((await readLockFile()).pid).toBe(process.pid)
      await next.release()
    }
  })

  test('of many calls at once, over the file of a process that is gone, goes to one', async () => {
    const old = await lock()
    const holder = await readLockFile()
    await old.release()
    for (let round = 0; round < 30; round++) {
      const gone = { ...holder, pid: 2 ** 22 + 1, token: round.toString(16).padStart(32, '0') }
      await writeLockFile(gone)
      // Half of the rounds: another one that was about to succeed it is gone too.
      const claim = `${LOCK_FILE}.${gone.token}.next`
      if (round % 2 === 0) await writeLockFile({ ...gone, token: 'a'.repeat(32) }, claim)
      const results = await Promise.allSettled(Array.from({ length: 12 }, () => lock()))
      const held = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
      expect(held).toHaveLength(1)
      const refusals = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []))
      for (const refusal of refusals) expect(refusal).toMatchObject({ code: 'LOCKED' })
      await held[0].release()
    }
  })

  test('does not remove a file that is not its own any more', async () => {
    const held = await lock()
    await writeLockFile({ ...(await readLockFile()), token: 'a'.repeat(32) })
    await held.release()
    expect((await readLockFile()).token).toBe('a'.repeat(32))
  })

  test('survives that its file is removed', async () => {
    const held = await lock()
    await rm(join(directory, LOCK_FILE))
    await held.release()
    const next = await lock()
    expect((await readLockFile()).pid).toBe(process.pid)
    await next.release()
  })

  test('does not keep the process alive', async () => {
    const source = `import { lockDirectory } from '${new URL('../../src/storage/directory-lock.ts', import.meta.url).href}'
      await lockDirectory(${JSON.stringify(directory)}, '${mechanism}')`
    const child = spawn(process.execPath, ['--import', TSX, '--input-type=module', '--eval', source], {
      stdio: 'inherit',
    })
    expect(await once(child, 'exit')).toEqual([0, null])
  })
})

// reason: what follows is about abstract sockets and /proc
describe.runIf(onLinux)('the lock on Linux', () => {
  test('tells a process from a later one with the same number', async () => {
    const held = await lockDirectory(directory)
    const holder = await readLockFile()
    expect(holder.bootId).toMatch(/^[0-9a-f-]{36}$/)
    expect(holder.startTime).toMatch(/^[0-9]+$/)
    expect(holder.networkNamespace).toMatch(/^net:/)
    await held.release()
  })

  test('is seen by every thread of the process, and free when the thread that held it is ended', async () => {
    const runThread = async () => {
      const source = `import('tsx/esm/api').then(({ register }) => (register(), import(${JSON.stringify(CHILD)})))`
      const worker = new Worker(source, { eval: true, workerData: { directory } })
      const [report] = (await once(worker, 'message')) as [LockReport]
      return { worker, report }
    }
    const first = await runThread()
    expect(first.report).toMatchObject({ locked: true })
    const second = await runThread()
    expect(second.report).toMatchObject({ locked: false, code: 'LOCKED' })
    expect(second.report.message).toContain(`is held by process ${process.pid}`)
    await expect(lockDirectory(directory)).rejects.toMatchObject({ code: 'LOCKED' })

    await first.worker.terminate()
    const other = await start()
    expect(await other.take()).toMatchObject({ locked: true })
    await expect(lockDirectory(directory)).rejects.toThrow(`is held by process ${other.process.pid}`)
    await second.worker.terminate()
  })

  test('is not shared by the workers of a cluster', async () => {
    cluster.setupPrimary({ exec: CHILD, args: [directory], execArgv: ['--import', TSX] })
    const workers = [cluster.fork(), cluster.fork()]
    const reports = await Promise.all(
      workers.map(async (worker) => ((await once(worker, 'message')) as [LockReport])[0]),
    )
    const ended = workers.map((worker) => once(worker, 'exit'))
    for (const worker of workers) worker.process.kill('SIGKILL')
    await Promise.all(ended)
    expect(reports.filter(({ locked }) => locked)).toHaveLength(1)
  })

  test('is refused when the file names a live process of another network', async () => {
    const other = await start()
    expect(await other.take()).toMatchObject({ locked: true })
    const holder = await readLockFile()
    await other.release()
    const alive = await start()
    const startTime = (await processFields(alive.process.pid!))[19]
    const named = { ...holder, pid: alive.process.pid!, startTime, networkNamespace: 'net:[1]' }
    await writeLockFile(named)
    const held = `is held by process ${named.pid} on ${hostname()} since ${holder.since}`
    await expect(lockDirectory(directory)).rejects.toThrow(held)
    expect(await readLockFile()).toEqual(named)

    // In our own network a live holder would have the socket.
    await writeLockFile({ ...named, networkNamespace: holder.networkNamespace })
    const free = await lockDirectory(directory)
    await free.release()

    await writeLockFile(named)
    await alive.kill()
    const next = await lockDirectory(directory)
    await next.release()
  })

  // reason: only root may make a network namespace
  test.runIf(process.getuid?.() === 0)('is seen from another network namespace', async () => {
    const other = await start({ command: ['unshare', '--net'] })
    expect(await other.take()).toMatchObject({ locked: true })
    await expect(lockDirectory(directory)).rejects.toThrow(`is held by process ${other.process.pid} on`)
    await other.kill()
    const next = await lockDirectory(directory)
    await next.release()
  })

  test('is on the directory, not on its inode number once that is used again', async () => {
    const path = join(directory, 'again')
    const locks = []
    for (let round = 0; round < 20; round++) {
      await mkdir(path)
      locks.push(await lockDirectory(path))
      await rm(path, { recursive: true })
    }
    expect(locks).toHaveLength(20)
    for (const lock of locks) await lock.release()
  })

  test('gives the system error, and holds nothing, where nothing can be written', async () => {
    const before = await readdir('/proc/self/fd')
    for (let round = 0; round < 3; round++) {
      await expect(lockDirectory('/sys')).rejects.toThrow(/^(EACCES|EROFS|EPERM): /)
    }
    expect(await readdir('/proc/self/fd')).toHaveLength(before.length)
  })

  test('minds no process that was killed and that nobody has waited for', async () => {
    const held = await lockDirectory(directory)
    const holder = await readLockFile()
    await held.release()
    // The shell becomes a program that never waits for the children of the shell.
    const parent = spawn('sh', ['-c', 'sleep 0.05 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'inherit'] })
    const [line] = (await once(createInterface({ input: parent.stdout }), 'line')) as [string]
    const startTime = (await processFields(line))[19]
    while ((await processFields(line))[0] !== 'Z') await new Promise((resolve) => setTimeout(resolve, 5))
    await writeLockFile({ ...holder, pid: Number(line), startTime, networkNamespace: 'net:[1]' })
    const next = await lockDirectory(directory)
    expect((await readLockFile()).pid).toBe(process.pid)
    await next.release()
    parent.kill('SIGKILL')
  })

  test('is released although somebody has connected to its socket', async () => {
    const held = await lockDirectory(directory)
    const { dev, ino } = await stat(directory, { bigint: true })
    const connection = connect(`\0varve-${dev}-${ino}`)
    await once(connection, 'connect')
    await held.release()
    connection.destroy()
    const next = await lockDirectory(directory)
    expect((await readLockFile()).pid).toBe(process.pid)
    await next.release()
  })
})

// reason: Windows has a mechanism of its own
test.runIf(process.platform !== 'win32')('the lock by file leaves no trace of those that died before it', async () => {
  const gone = { pid: 2 ** 22 + 1, hostname: hostname(), since: new Date().toISOString() }
  const tokens = ['a', 'b', 'c'].map((digit) => digit.repeat(32))
  await writeLockFile({ ...gone, token: tokens[0] })
  await writeLockFile({ ...gone, token: tokens[1] }, `${LOCK_FILE}.${tokens[0]}.next`)
  await writeLockFile({ ...gone, token: tokens[2] }, `${LOCK_FILE}.${tokens[1]}.next`)
  const held = await lockDirectory(directory, 'file')
  expect(await readdir(directory)).toEqual([LOCK_FILE])
  expect((await readLockFile()).pid).toBe(process.pid)
  await held.release()
  expect(await readdir(directory)).toEqual([])
})
