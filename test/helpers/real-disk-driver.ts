/**
 * Cuts the power of a real file system, again and again: `node real-disk-driver.mjs <directory> <child> <rounds> <seed>
 * <ext4|xfs>`, as root, with mounts and processes of its own that end with it (`unshare --mount --pid`).
 *
 * The file system lies in a file, which lies in another file system. That one is frozen while the file is copied: whatever
 * the kernel is about to write waits, so the copy is what a disk holds at one instant, in the middle of a sync or not. It is
 * mounted, which replays its journal, and what was acknowledged before is looked for. The process that writes goes on.
 *
 * Prints what it counted as JSON.
 */
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { setTimeout as pass } from 'node:timers/promises'
import { Varve } from '../../src/index.ts'
import { RealDiskWitness, TOPICS } from './real-disk-records.ts'
import { SeededRandom } from './seeded-random.ts'

const ROUNDS_PER_DISK = 10
const MAX_PAUSE_MS = 150

/** How disks are made and mounted. The journal is committed by syncs, and by nothing else for a long time. */
const DISKS = {
  ext4: {
    megabytes: 96,
    make: ['mkfs.ext4', '-q', '-b'],
    blocks: ['1024', '4096'],
    options: [
      'commit=1000',
      'commit=1000,data=writeback',
      'commit=1000,nodelalloc',
      'commit=1000,data=journal',
      'commit=5',
    ],
    copyOptions: [],
  },
  // two copies of one file system at a time
  xfs: {
    megabytes: 320,
    make: ['mkfs.xfs', '-q', '-b'],
    blocks: ['size=4096'],
    options: ['noatime'],
    copyOptions: ['nouuid'],
  },
}

const [, , directory, child, rounds, seed, kind] = process.argv
const disk = DISKS[kind as keyof typeof DISKS]
const random = new SeededRandom(Number(seed))
const counts = { rounds: 0, torn: 0, scannedBytes: 0, acknowledged: {}, lost: {} }

process.stdin.resume().on('end', () => process.exit(1))
run('mount', '-t', 'tmpfs', 'tmpfs', directory)
process.chdir(directory)
for (const name of ['host', 'disk', 'copy']) mkdirSync(name)
makeFile('host.img', disk.megabytes * 2)
run('mkfs.ext4', '-q', '-m', '0', '-O', '^has_journal', 'host.img')
run('mount', '-o', 'loop', 'host.img', 'host')

for (let left = Number(rounds); left > 0; left -= ROUNDS_PER_DISK) await useDisk(Math.min(left, ROUNDS_PER_DISK))
console.log(JSON.stringify(counts))
// with everything that is mounted here
process.exit()

function run(program: string, ...words: string[]): void {
  execFileSync(program, words, { stdio: ['ignore', 'ignore', 'pipe'] })
}

function makeFile(path: string, megabytes: number): void {
  rmSync(path, { force: true })
  writeFileSync(path, '')
  truncateSync(path, megabytes * 1024 * 1024)
}

/** Makes a disk, has a process work on it, and cuts the power a number of times. */
async function useDisk(cuts: number): Promise<void> {
  makeFile('host/disk.img', disk.megabytes)
  const [block, options] = [random.pick(disk.blocks), random.pick(disk.options)]
  run(disk.make[0], ...disk.make.slice(1), block, 'host/disk.img')
  run('mount', '-o', `loop,${options}`, 'host/disk.img', 'disk')
  writeFileSync('told', '')
  const words = [child, `${directory}/disk/log`, `${random.below(2 ** 31)}`, 'told']
  const writer = spawn(process.execPath, words, { stdio: ['ignore', 'ignore', 'inherit'] })
  for (let i = 0; i < cuts; i++) {
    await pass(random.below(MAX_PAUSE_MS))
    if (random.chance(0.7)) writeBack()
    const witness = cutPower()
    // what it would do meanwhile nobody looks at; and it must go on from a pause as if there had been none
    writer.kill('SIGSTOP')
    try {
      await look(witness)
    } catch (error) {
      console.error(`${kind} -b ${block} -o ${options}, cut ${i + 1}: ${(error as Error).message}`)
      process.exit(1)
    }
    writer.kill('SIGCONT')
    counts.rounds += 1
  }
  await end(writer)
  run('umount', 'disk')
}

async function end(writer: ChildProcess): Promise<void> {
  if (writer.exitCode !== null) throw new Error(`the process that writes ended by itself, with ${writer.exitCode}`)
  const closed = once(writer, 'close')
  writer.kill('SIGKILL')
  await closed
}

/** Has the kernel begin to write what is unsynced of some files, as it does when memory is short: it says so, and returns. */
function writeBack(): void {
  for (const name of listing()) {
    // POSIX_FADV_DONTNEED, and nothing written
    const words = ['oflag=nocache', 'conv=notrunc,nocreat', 'count=0', 'status=none', `of=disk/${name}`]
    if (/\.log$|checkpoint/.test(name) && random.chance(0.3)) spawnSync('dd', words)
  }
}

function listing(): string[] {
  try {
    return readdirSync('disk', { recursive: true, encoding: 'utf8' })
  } catch {
    // a directory was deleted meanwhile
    return []
  }
}

/** Copies the disk as it is at one instant; returns what is known of that. */
function cutPower(): RealDiskWitness {
  const before = readFileSync('told', 'utf8')
  run('fsfreeze', '-f', 'host')
  try {
    run('cp', '--sparse=always', 'host/disk.img', 'copy.img')
  } finally {
    run('fsfreeze', '-u', 'host')
  }
  return new RealDiskWitness(before, readFileSync('told', 'utf8'))
}

/** Mounts the copy, finds in it what must be there, and goes on in it. */
async function look(witness: RealDiskWitness): Promise<void> {
  run('mount', '-o', ['loop', ...disk.copyOptions].join(), 'copy.img', 'copy')
  const log = await Varve.open({ directory: 'copy/log' })
  add(counts, await witness.check(log))
  const { cutBytes, scannedBytes } = log.recovery
  if (cutBytes > 0) counts.torn += 1
  counts.scannedBytes += scannedBytes
  const there = (await log.listTopics()).map(({ name }) => name).filter((name) => name in TOPICS)
  const last: { topic: string; offset: number }[] = []
  for (const topic of there) last.push({ topic, ...(await log.append(topic, { partition: 0, value: 'goes on' })) })
  await log.close()
  const again = await Varve.open({ directory: 'copy/log' })
  const { clean, damage } = again.recovery
  if (!clean || damage.length > 0) throw new Error(`closed in order, and then: ${JSON.stringify(again.recovery)}`)
  for (const { topic, offset } of last) {
    const { value } = await again.read(topic, { partition: 0, from: offset }).next()
    if (value?.value !== 'goes on') throw new Error(`${topic} did not go on at ${offset}`)
  }
  await again.close()
  run('umount', 'copy')
}

function add(
  sums: { acknowledged: { [topic: string]: number }; lost: { [topic: string]: number } },
  losses: { acknowledged: { [topic: string]: number }; records: { [topic: string]: number } },
): void {
  for (const topic of Object.keys(losses.acknowledged)) {
    sums.acknowledged[topic] = (sums.acknowledged[topic] ?? 0) + losses.acknowledged[topic]
    sums.lost[topic] = (sums.lost[topic] ?? 0) + losses.records[topic]
  }
}
