/** A real Apache Kafka: one node in KRaft mode, broker and controller, in a temporary directory on free ports of loopback. */
import { spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { metadata } from '../../src/kafka/apis/metadata.ts'
import { KafkaTestClient } from '../helpers/kafka-client.ts'
import { javaOptions, runJava, type Kafka } from './kafka.ts'

const READY_TIMEOUT_MS = 60_000
const STOP_TIMEOUT_MS = 30_000

/** Options of `startKafkaNode`. */
export interface KafkaNodeOptions {
  /** Lines of server.properties that replace or follow those that are there, for example `log.flush.interval.messages`. */
  properties?: Readonly<Record<string, string | number | boolean>>
  /** Size of the Java heap, initial and largest, in MiB. Default 256. */
  heapMiB?: number
  /** Java compiles for its start, not for its speed. Default true; false for what is measured. */
  fastStart?: boolean
  /** Further options of Java. */
  javaOptions?: readonly string[]
}

/** A node that runs. */
export class KafkaNode implements AsyncDisposable {
  readonly bootstrapServers: readonly string[]

  constructor(
    private readonly child: ChildProcess,
    private readonly root: string,
    port: number,
    /** From the start of its process until it answered, in milliseconds. */
    readonly startMs: number,
  ) {
    this.bootstrapServers = [`127.0.0.1:${port}`]
  }

  /** Where its partitions' directories are. They stay until it is disposed of. */
  get directory(): string {
    return join(this.root, 'data')
  }

  get pid(): number {
    return this.child.pid!
  }

  /** What it has printed: its warnings and errors. */
  get output(): string {
    return readFileSync(join(this.root, 'output'), 'utf8')
  }

  /** Stops it in order, and resolves when its process has ended. */
  async stop(): Promise<void> {
    await this.end('SIGTERM')
  }

  /** Ends it at once, as a crash does. */
  async kill(): Promise<void> {
    await this.end('SIGKILL')
  }

  /** Ends it, and removes its files. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
    rmSync(this.root, { recursive: true, force: true })
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    const ended = once(this.child, 'exit')
    this.child.kill(signal)
    const late = setTimeout(() => this.child.kill('SIGKILL'), STOP_TIMEOUT_MS)
    await ended
    clearTimeout(late)
  }
}

/**
 * Formats its storage, starts it and waits until it answers.
 *
 * @throws an error with what it printed where it does not start
 */
export async function startKafkaNode(kafka: Kafka, options: KafkaNodeOptions = {}): Promise<KafkaNode> {
  if (kafka.missing !== undefined) throw new Error(kafka.missing)
  const { properties = {}, heapMiB = 256, fastStart = true, javaOptions: further = [] } = options
  const root = mkdtempSync(join(tmpdir(), 'varve-kafka-node-'))
  const [port, controllerPort] = await freePorts(2)
  const file = join(root, 'server.properties')
  writeFileSync(file, serverProperties(root, port, controllerPort, properties))
  const clusterId = randomBytes(16).toString('base64url')
  const output = openSync(join(root, 'output'), 'a')
  let child: ChildProcess | null = null
  try {
    runJava(kafka, 'kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', file)
    const fast = javaOptions('warn').filter((option) => fastStart || !option.startsWith('-XX:TieredStop'))
    const java = [
      ...fast,
      `-Xms${heapMiB}m`,
      `-Xmx${heapMiB}m`,
      ...further,
      '-cp',
      kafka.classPath,
      'kafka.Kafka',
      file,
    ]
    const startedAt = performance.now()
    child = spawn('java', java, { stdio: ['ignore', output, output] })
    endWithUs(child)
    await answers(port, child)
    return new KafkaNode(child, root, port, performance.now() - startedAt)
  } catch (error) {
    const printed = readFileSync(join(root, 'output'), 'utf8').slice(-5_000)
    child?.kill('SIGKILL')
    rmSync(root, { recursive: true, force: true })
    throw new Error(`Apache Kafka does not start: ${(error as Error).message}\n${printed}`)
  } finally {
    closeSync(output)
  }
}

function serverProperties(
  root: string,
  port: number,
  controllerPort: number,
  properties: KafkaNodeOptions['properties'],
): string {
  const all = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'controller.listener.names': 'CONTROLLER',
    'log.dirs': join(root, 'data'),
    'offsets.topic.replication.factor': 1,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    'group.initial.rebalance.delay.ms': 0,
    ...properties,
  }
  return Object.entries(all)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}

/** No Java outlives a test run that is broken off. */
function endWithUs(child: ChildProcess): void {
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  child.once('exit', () => process.removeListener('exit', kill))
}

/** Resolves when the node tells of itself. */
async function answers(port: number, child: ChildProcess): Promise<void> {
  const deadline = performance.now() + READY_TIMEOUT_MS
  for (;;) {
    const why = await whyNotReady(port)
    if (why === null) return
    if (child.exitCode !== null) throw new Error(`its process ended with ${child.exitCode}`)
    if (performance.now() > deadline) throw new Error(`not ready in ${READY_TIMEOUT_MS} ms: ${why}`)
    await sleep(20)
  }
}

async function whyNotReady(port: number): Promise<string | null> {
  try {
    await using client = await KafkaTestClient.connect(`127.0.0.1:${port}`)
    const { brokers } = await client.send(metadata, 9, { topics: [] })
    return brokers.length > 0 ? null : 'it knows of no broker'
  } catch (error) {
    return (error as Error).message
  }
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map((server) => once(server, 'listening')))
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}
