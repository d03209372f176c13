import { execFile, execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { DATA_DIRECTORY } from '../harness.ts'
import { kafka } from './servers.ts'

/** What a client is asked to do. */
export interface ClientJob {
  bootstrap: string
  topic: string
  records: number
  recordBytes: number
}

/** A client that produces and consumes as fast as it can, with acks=all and its own defaults. */
export interface BenchClient {
  name: string
  /** Records per second, from the first one to the last acknowledgement. */
  produce(job: ClientJob): Promise<number>
  /** Records per second, from the first fetch to the last record. */
  consume(job: ClientJob): Promise<number>
}

const JOB_MS_MAX = 180_000
const SOURCE = fileURLToPath(new URL('rdkafka.c', import.meta.url))
const PROGRAM = `${DATA_DIRECTORY}/rdkafka`

const run = promisify(execFile)

/** Kafka's own kafka-producer-perf-test and kafka-consumer-perf-test. */
export const javaClient: BenchClient = {
  name: 'Java',
  async produce({ bootstrap, topic, records, recordBytes }) {
    const shape = ['--num-records', String(records), '--record-size', String(recordBytes), '--throughput', '-1']
    const settings = ['--producer-props', `bootstrap.servers=${bootstrap}`, 'acks=all']
    const text = await java('org.apache.kafka.tools.ProducerPerformance', '--topic', topic, ...shape, ...settings)
    return figure(/^\d+ records sent, ([\d.]+) records\/sec.*th\.?$/m, text)
  },
  async consume({ bootstrap, topic, records }) {
    const words = ['--bootstrap-server', bootstrap, '--topic', topic, '--num-records', String(records)]
    const text = await java('org.apache.kafka.tools.ConsumerPerformance', ...words)
    // the last column: records per second without the time to join the group
    return figure(/^[\d:. -]+(?:, [\d:. -]+)+, ([\d.]+)$/m, text)
  },
}

/** librdkafka, by a program of ours. */
export const librdkafkaClient: BenchClient = {
  name: 'librdkafka',
  async produce({ bootstrap, topic, records, recordBytes }) {
    return records / Number(await rdkafka('produce', bootstrap, topic, String(records), String(recordBytes), 'all'))
  },
  async consume({ bootstrap, topic, records }) {
    return records / Number(await rdkafka('consume', bootstrap, topic, String(records)))
  },
}

/** From a record's production to its consumption, one at a time. Milliseconds. */
export async function endToEnd(job: ClientJob): Promise<{ p50Ms: number; p99Ms: number }> {
  const { bootstrap, topic, records, recordBytes } = job
  const [p50Ms, p99Ms] = (await rdkafka('latency', bootstrap, topic, String(records), String(recordBytes), 'all'))
    .split(' ')
    .map(Number)
  return { p50Ms, p99Ms }
}

/** Builds what is measured with librdkafka, or says why that cannot be done. */
export function buildLibrdkafkaClient(): string | null {
  mkdirSync(DATA_DIRECTORY, { recursive: true })
  try {
    execFileSync('cc', ['-O2', SOURCE, '-lrdkafka', '-o', PROGRAM], { stdio: 'pipe' })
    return null
  } catch (error) {
    return `it cannot be built (a C compiler and librdkafka-dev are needed): ${(error as Error).message.split('\n')[0]}`
  }
}

async function rdkafka(...words: string[]): Promise<string> {
  return (await run(PROGRAM, words, { timeout: JOB_MS_MAX })).stdout
}

async function java(main: string, ...words: string[]): Promise<string> {
  if (kafka.missing !== undefined) throw new Error(kafka.missing)
  const { stdout } = await run('java', ['-Xmx512m', '-cp', kafka.classPath, main, ...words], { timeout: JOB_MS_MAX })
  return stdout
}

function figure(pattern: RegExp, text: string): number {
  const found = pattern.exec(text)
  if (found === null) throw new Error(`no figure in: ${text}`)
  return Number(found[1])
}
