import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { findKafka } from '../../test/interop/kafka.ts'
import { startKafkaNode } from '../../test/interop/kafka-node.ts'

/** A server that runs in a process of its own. */
export interface BenchServer {
  name: 'varve' | 'kafka'
  bootstrap: string
  pid: number
  /** From the start of its process until it could be called, ms. */
  startMs: number
  stop(): Promise<void>
}

export const kafka = findKafka()

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
/** What {@link buildVarve} makes. */
export const BUILT = new URL('../../dist/', import.meta.url)
const PROGRAM = fileURLToPath(new URL('cli/main.js', BUILT))

/** What Kafka's own start script gives it. */
const KAFKA_HEAP_MIB = 1024
const KAFKA_JAVA = ['-server', '-XX:+UseG1GC', '-XX:MaxGCPauseMillis=20', '-XX:InitiatingHeapOccupancyPercent=35']

/** Built, as it is installed: a loader that compiles on the fly would need time and memory itself. */
export function buildVarve(): void {
  execFileSync('npm', ['run', 'build'], { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'] })
}

/** `varve serve` on a directory. `isSynced`: whether it syncs before it acknowledges. */
export async function startVarve(directory: string, isSynced: boolean): Promise<BenchServer> {
  const words = ['serve', '--directory', directory, '--port', '0', '--json', '--flush', isSynced ? 'group' : 'os']
  const started = performance.now()
  const child = spawn(process.execPath, [PROGRAM, ...words], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  const lines = createInterface({ input: child.stdout })
  const [line] = (await Promise.race([once(lines, 'line'), ended.then(() => ['']), once(child, 'error')])) as [string]
  if (!line?.startsWith('{')) throw new Error('varve serve did not start')
  const startMs = performance.now() - started
  const { bootstrapServers } = JSON.parse(line) as { bootstrapServers: string[] }
  return {
    name: 'varve',
    bootstrap: bootstrapServers[0],
    pid: child.pid!,
    startMs,
    async stop() {
      process.removeListener('exit', kill)
      child.kill('SIGTERM')
      await ended
    },
  }
}

/** Apache Kafka with the settings that it comes with. `isSynced`: whether it syncs before it acknowledges. */
export async function startKafka(isSynced: boolean): Promise<BenchServer> {
  const properties: Record<string, number> = isSynced ? { 'log.flush.interval.messages': 1 } : {}
  const options = { properties, heapMiB: KAFKA_HEAP_MIB, fastStart: false, javaOptions: KAFKA_JAVA }
  const node = await startKafkaNode(kafka, options)
  return {
    name: 'kafka',
    bootstrap: node.bootstrapServers[0],
    pid: node.pid,
    startMs: node.startMs,
    async stop() {
      await node[Symbol.asyncDispose]()
    },
  }
}

/** What a process has in memory now, bytes. */
export function residentBytes(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(kib) * 1024
}
