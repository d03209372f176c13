/**
 * `npm run bench:compare`: Varve beside the embedded stores that a program might take instead, on the disk of this
 * directory. What counts are the ratios: all peers run in turn, round by round, in the same minutes.
 *
 * `npm run bench:compare -- [--peers a,b] [--seconds n] [--rounds n] [--quick] [--json <file>]`
 * `npm run bench:compare -- --docs` measures nothing: it writes the tables of docs/peers.md from bench/results/peers.json.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, statfsSync, writeFileSync } from 'node:fs'
import { cpus, release } from 'node:os'
import { dirname } from 'node:path'
import { parseArgs } from 'node:util'
import { writeDocs } from './docs.ts'
import { Comparison, FULL, QUICK, withDirectory, type Scale } from './measure.ts'
import { OURS, PEERS } from './peers.ts'
import { compile, installPeers, runJob } from './processes.ts'
import { Progress } from './progress.ts'
import type { Durability, Failure, Results } from './results.ts'
import { canCountSyncs, countSyncs } from './sync-count.ts'
import { describeResults } from './tables.ts'
import { WORKLOADS } from './workloads.ts'

const FREE_BYTES_MIN = 8e9
const EXT4 = 0xef53

const { values: options } = parseArgs({
  options: {
    peers: { type: 'string' },
    seconds: { type: 'string' },
    rounds: { type: 'string' },
    quick: { type: 'boolean', default: false },
    json: { type: 'string' },
    docs: { type: 'boolean', default: false },
  },
})
if (options.docs) {
  writeDocs()
} else {
  const scale = scaleOf()
  const wanted = peersWanted()
  const { bavail, bsize } = statfsSync(new URL('.', import.meta.url))
  if (bavail * bsize < FREE_BYTES_MIN)
    refuse(`the disk of this directory has less than ${FREE_BYTES_MIN / 1e9} GB free`)
  installPeers()
  await compile()
  const results = await compare(wanted, scale)
  console.log(describeResults(results))
  if (options.json !== undefined) {
    mkdirSync(dirname(options.json), { recursive: true })
    writeFileSync(options.json, `${JSON.stringify(results, null, 2)}\n`)
  }
}

async function compare(wanted: string[], scale: Scale): Promise<Results> {
  const failures: Failure[] = []
  const peers: string[] = []
  for (const peer of wanted) {
    const failure = await tryToLoad(peer)
    if (failure === null) peers.push(peer)
    else failures.push(failure)
  }
  for (const { name, message } of failures) console.error(`${name} cannot be loaded and is skipped: ${message}`)
  const durability = await checkDurability(peers, failures)
  const nonDurable = (durability ?? []).filter(({ durable }) => !durable).map(({ name }) => name)
  const progress = new Progress()
  const comparison = new Comparison(peers, nonDurable, scale, progress)
  progress.start(comparison.steps)
  await comparison.run()
  progress.stop()
  const versions = new Map(peers.map((peer) => [peer, versionOf(peer)]))
  return {
    date: new Date().toISOString(),
    machine: machine(),
    node: process.version,
    commit: commit(),
    rounds: scale.rounds,
    seconds: scale.seconds,
    records: Object.fromEntries(WORKLOADS.map(({ recordBytes }) => [recordBytes, scale.records(recordBytes)])),
    workloads: WORKLOADS.map((workload) => ({
      workload: workload.name,
      recordBytes: workload.recordBytes,
      peers: comparison.resultsOf(workload, versions),
    })),
    durability,
    failures: [...failures, ...comparison.failures],
  }
}

async function tryToLoad(peer: string): Promise<Failure | null> {
  try {
    await runJob({ work: 'load', peer, directory: '', recordBytes: 0, seconds: 0, records: 0 })
    return null
  } catch (error) {
    return { name: peer, message: (error as Error).message }
  }
}

/** Counts the syncs of each; null, said aloud, where they cannot be counted. */
async function checkDurability(peers: string[], failures: Failure[]): Promise<Durability[] | null> {
  if (!canCountSyncs()) {
    console.error(
      'strace is missing or may not trace here: nothing proves that what is called durable below is durable',
    )
    return null
  }
  const counted: Durability[] = []
  for (const peer of peers) {
    try {
      const durability = await countSyncs(peer, withDirectory)
      counted.push(durability)
      if (!durability.durable)
        console.error(`${peer} does not sync what it acknowledges: its durable cells are left out`)
    } catch (error) {
      failures.push({ name: peer, workload: 'count-syncs', message: (error as Error).message })
    }
  }
  return counted
}

function scaleOf(): Scale {
  const scale = options.quick ? QUICK : FULL
  const number = (name: 'seconds' | 'rounds', otherwise: number) => {
    const value = Number(options[name] ?? otherwise)
    if (!(value > 0) || (name === 'rounds' && !Number.isInteger(value)))
      refuse(`--${name} ${options[name]} is no number to use`)
    return value
  }
  return { ...scale, seconds: number('seconds', scale.seconds), rounds: number('rounds', scale.rounds) }
}

function peersWanted(): string[] {
  const names = Object.keys(PEERS)
  const wanted = options.peers?.split(',') ?? names
  const unknown = wanted.filter((name) => !names.includes(name))
  if (unknown.length > 0) refuse(`no peer ${unknown.join(', ')}; there are ${names.join(', ')}`)
  return names.filter((name) => name === OURS || wanted.includes(name))
}

function refuse(message: string): never {
  console.error(message)
  process.exit(2)
}

function machine(): string {
  const { type } = statfsSync(new URL('.', import.meta.url))
  const fileSystem = type === EXT4 ? 'ext4' : `file system 0x${type.toString(16)}`
  return `${cpus().length} x ${cpus()[0].model.trim()}, ${process.platform} ${release()}, ${fileSystem}`
}

function commit(): string | null {
  const { status, stdout } = spawnSync('git', ['describe', '--always', '--dirty'], { encoding: 'utf8' })
  return status === 0 ? stdout.trim() : null
}

function versionOf(peer: string): string {
  const manifest = peer === OURS ? '../../package.json' : `node_modules/${peer}/package.json`
  return (JSON.parse(readFileSync(new URL(manifest, import.meta.url), 'utf8')) as { version: string }).version
}
