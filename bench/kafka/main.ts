/**
 * `npm run bench:kafka`: Varve's server beside Apache Kafka, both as processes of their own on the disk of this directory,
 * with the same clients in the same minutes. What counts are the ratios.
 *
 * `npm run bench:kafka -- [--rounds <n>] [--seconds <n>] [--json <file>]`
 *
 * Needs Java 17 and Maven for Kafka and its client; librdkafka's part is left out, with a word, where it cannot be built.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus, release } from 'node:os'
import { dirname } from 'node:path'
import { parseArgs } from 'node:util'
import { DATA_DIRECTORY, withDirectory } from '../harness.ts'
import { BenchProgress } from '../progress.ts'
import { median } from '../statistics.ts'
import { buildLibrdkafkaClient, endToEnd, javaClient, librdkafkaClient, type BenchClient } from './clients.ts'
import { startInProcess, startToFirstProduce } from './first-produce.ts'
import { measureProducePath } from './produce-path.ts'
import { describeFigures, Figures, type Goal } from './results.ts'
import { buildVarve, kafka, residentBytes, startKafka, startVarve, type BenchServer } from './servers.ts'

const RECORD_BYTES = [100, 1024]
/** About what the slower of the two produces in a second, unsynced. */
const BYTES_PER_SECOND = 40e6
/** Of it, where every acknowledgement waits for a sync. */
const SYNCED_SHARE = 0.1
const LATENCIES = 1000
const PATH_BATCHES = 6000

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '4' },
    json: { type: 'string' },
  },
})
const rounds = positive('rounds', options.rounds)
const seconds = positive('seconds', options.seconds)
if (kafka.missing !== undefined) {
  console.error(`error: there is nothing to compare with: ${kafka.missing}`)
  process.exit(1)
}
// Kafka's node makes its directory there too: both work on the same disk
mkdirSync(DATA_DIRECTORY, { recursive: true })
process.env['TMPDIR'] = DATA_DIRECTORY

buildVarve()
const clients: BenchClient[] = [javaClient]
const missing = buildLibrdkafkaClient()
if (missing === null) clients.push(librdkafkaClient)
else console.error(`*** LEFT OUT: librdkafka, because ${missing}`)

const figures = new Figures()
const progress = new BenchProgress(2 * 2 * rounds * (RECORD_BYTES.length * (2 * clients.length + 1)) + 3 * rounds)
for (let round = 0; round < rounds; round++) {
  for (const isSynced of [false, true]) await measureServers(round, isSynced)
  for (const recordBytes of RECORD_BYTES) {
    progress.step(`produce path, ${recordBytes} B`)
    const { own, door } = await measureProducePath(recordBytes, PATH_BATCHES)
    const goal = { atLeast: 0.5 }
    figures.add(`produce over TCP / appendBatch, ${recordBytes} B`, 'records/s', goal, { varve: door, other: own })
  }
}
const startKafkaMs = Array.from({ length: 5 }, startInProcess)
progress.stop()
console.log(describeFigures(figures.all))
console.log(`startKafka() in a program of its own: ${median(startKafkaMs).toFixed(0)} ms; the aim is 100 ms`)
if (options.json !== undefined) {
  mkdirSync(dirname(options.json), { recursive: true })
  const machine = { cores: cpus().length, system: `${process.platform} ${release()}`, node: process.version }
  writeFileSync(options.json, `${JSON.stringify({ machine, rounds, startKafkaMs, figures: figures.all }, null, 2)}\n`)
}

/** Both servers, one job after the other on each in turn; the one that begins changes from round to round. */
async function measureServers(round: number, isSynced: boolean): Promise<void> {
  await withDirectory(async (directory) => {
    const servers = [await startVarve(directory, isSynced), await startKafka(isSynced)]
    if (round % 2 === 1) servers.reverse()
    try {
      const both = async (
        what: string,
        unit: string,
        goal: Goal,
        measure: (server: BenchServer) => Promise<number>,
      ) => {
        const found = { varve: NaN, kafka: NaN }
        for (const server of servers) {
          progress.step(`${what}, ${server.name}, round ${round + 1}`)
          found[server.name] = await measure(server)
        }
        figures.add(what, unit, goal, { varve: found.varve, other: found.kafka })
      }
      const how = isSynced ? 'every acknowledgement synced' : 'nothing synced'
      if (!isSynced) await both('start to first produce', 'ms', { atMost: 1 / 20 }, startToFirstProduce)
      for (const recordBytes of RECORD_BYTES) {
        const share = isSynced ? SYNCED_SHARE : 1
        const records = Math.ceil((BYTES_PER_SECOND * seconds * share) / recordBytes)
        const p99s = new Map<BenchServer, number>()
        for (const client of clients) {
          const topic = `${client.name}-${recordBytes}`
          const job = ({ bootstrap }: BenchServer) => ({ bootstrap, topic, records, recordBytes })
          const named = (verb: string) => `${verb}, ${client.name}, ${recordBytes} B, ${how}`
          const goal = { atLeast: isSynced ? 5 : 1 }
          await both(named('produce'), 'records/s', goal, (server) => client.produce(job(server)))
          if (!isSynced) await both(named('fetch'), 'records/s', goal, (server) => client.consume(job(server)))
        }
        if (missing !== null) continue
        await both(`end to end p50, ${recordBytes} B, ${how}`, 'ms', {}, async (server) => {
          const job = { bootstrap: server.bootstrap, topic: `latency-${recordBytes}`, records: LATENCIES, recordBytes }
          const { p50Ms, p99Ms } = await endToEnd(job)
          p99s.set(server, p99Ms)
          return p50Ms
        })
        await both(`end to end p99, ${recordBytes} B, ${how}`, 'ms', {}, async (server) => p99s.get(server)!)
      }
      await both(`resident memory, ${how}`, 'MiB', { atMost: 1 / 5 }, async ({ pid }) => residentBytes(pid) / 2 ** 20)
    } finally {
      for (const server of servers) await server.stop()
    }
  })
}

function positive(name: string, text: string): number {
  const value = Number(text)
  if (Number.isFinite(value) && value > 0) return Math.ceil(value)
  console.error(`error: --${name} must be a positive number, not '${text}'`)
  process.exit(2)
}
