/** Partition directories, both ways: what a running Kafka wrote, and what a server here wrote for Kafka's own clients. */
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Varve } from '../../src/client/varve.ts'
import { startKafka } from '../../src/kafka/index.ts'
import { all } from '../helpers/logs.ts'
import { JavaProcess } from './java-process.ts'
import { findKafka, runJava } from './kafka.ts'
import { startKafkaNode } from './kafka-node.ts'

const FILES = fileURLToPath(new URL('JavaFiles.java', import.meta.url))
const DUMP = 'org.apache.kafka.tools.DumpLogSegments'
/** What kafka-dump-log says when something is not as it should be. */
const COMPLAINTS = /mismatch|out of order|not found|invalid|isvalid: false|error|exception/i
const topics = ['codecs', 'compacted', 'transactions']
const kafka = findKafka()

/** The records of a topic as Kafka's consumer has told them. */
function told(lines: readonly string[], topic: string): string[] {
  return lines.filter((line) => line.startsWith(`${topic} `)).map((line) => line.slice(topic.length + 1))
}

/** The records as a log here reads them, in the same form. */
async function read(log: Varve, topic: string): Promise<string[]> {
  const text = (bytes: Uint8Array | null) => (bytes === null ? null : Buffer.from(bytes).toString())
  return (await all(log.read(topic))).map(({ offset, timestamp, keyBytes, valueBytes, rawHeaders }) => {
    const headers = rawHeaders.map(([name, value]) => `${name}=${text(value)}`).join(',')
    return `${offset} ${timestamp} ${text(keyBytes)} ${text(valueBytes)} ${headers}`
  })
}

function filesIn(directory: string, ...suffixes: string[]): string[] {
  const names = readdirSync(directory).filter((name) => suffixes.some((suffix) => name.endsWith(suffix)))
  return names.toSorted().map((name) => join(directory, name))
}

const dump = (files: readonly string[], ...flags: string[]) =>
  runJava(kafka, DUMP, ...flags, '--files', files.join(','))
    .trim()
    .split('\n')

// reason: without Java and Maven there is no Kafka to write or to read files; findKafka says so on the console
describe.skipIf(kafka.missing !== undefined)('the files', () => {
  let root: string
  let kafkaTold: readonly string[]
  let varveTold: readonly string[]

  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), 'varve-files-'))
    let directory: string
    {
      const partitions = { 'offsets.topic.num.partitions': 1, 'transaction.state.log.num.partitions': 1 }
      await using node = await startKafkaNode(kafka, { properties: { ...partitions, 'log.cleaner.backoff.ms': 100 } })
      directory = node.directory
      await using java = new JavaProcess(kafka, FILES, node.bootstrapServers[0], 'with')
      kafkaTold = await java.end()
      const cleaned = join(directory, 'cleaner-offset-checkpoint')
      while (!/^compacted 0 [1-9]/m.test(existsSync(cleaned) ? readFileSync(cleaned, 'utf8') : '')) await sleep(50)
      await node.stop()
      for (const topic of topics)
        cpSync(join(directory, `${topic}-0`), join(root, 'kafka', `${topic}-0`), { recursive: true })
    }
    expect(existsSync(directory)).toBe(false)
    await using server = await startKafka({ directory: join(root, 'varve') })
    await using java = new JavaProcess(kafka, FILES, server.bootstrapServers[0], 'without')
    varveTold = await java.end()
  }, 120_000)

  afterAll(() => rmSync(root, { recursive: true }))

  test('of a running Kafka open here with every record, also with transactions and when compacted', async () => {
    await using log = await Varve.open({ directory: join(root, 'kafka') })
    for (const topic of topics) {
      expect(filesIn(join(root, 'kafka', `${topic}-0`), '.log').length).toBeGreaterThan(1)
      await log.adoptTopic({ name: topic, valueCodec: 'bytes' })
      const end = Number(kafkaTold.find((line) => line.startsWith(`end of ${topic} `))!.split(' ')[3])
      expect(log.offsets(topic)[0].logEndOffset).toBe(end)
    }
    expect(await read(log, 'codecs')).toEqual(told(kafkaTold, 'codecs'))
    expect(told(kafkaTold, 'codecs').length).toBe(2_000)
    const transactions = told(kafkaTold, 'transactions')
    expect(await read(log, 'transactions')).toEqual(transactions)
    expect([transactions.length, log.offsets('transactions')[0].logEndOffset]).toEqual([120, 126])
    // the consumer may have read records that went with a later round of the cleaner
    const compacted = await read(log, 'compacted')
    expect(compacted.length).toBeGreaterThan(29)
    expect(compacted.length).toBeLessThan(1_000)
    expect(told(kafkaTold, 'compacted')).toEqual(expect.arrayContaining(compacted))
    expect(lastOfKeys(compacted)).toEqual(lastOfKeys(told(kafkaTold, 'compacted')))
    expect(log.recovery.damage).toEqual([])
  })

  test('of a running Kafka get, made anew here, the indexes that it wrote, byte for byte', async () => {
    for (const topic of topics) {
      const from = join(root, 'kafka', `${topic}-0`)
      const copy = join(root, 'rebuilt', `${topic}-0`)
      cpSync(from, copy, { recursive: true })
      for (const file of filesIn(copy, 'index')) rmSync(file)
      {
        await using log = await Varve.open({ directory: join(root, 'rebuilt') })
        await log.adoptTopic({ name: topic, valueCodec: 'bytes' })
        await read(log, topic)
      }
      const names = (directory: string) =>
        filesIn(directory, '.index', '.timeindex').map((file) => file.split('/').at(-1)!)
      expect(names(copy)).toEqual(names(from))
      let entries = 0
      for (const name of names(from)) {
        const [theirs, ours] = [from, copy].map((directory) => readFileSync(join(directory, name), 'hex'))
        expect([topic, name, ours]).toEqual([topic, name, theirs])
        entries += theirs.length
      }
      expect(entries).toBeGreaterThan(0)
    }
  })

  test('that were written here for the Java clients pass kafka-dump-log, with what its snapshots say of producers', async () => {
    await using log = await Varve.open({ directory: join(root, 'varve'), readOnly: true })
    for (const topic of topics) {
      expect(await read(log, topic)).toEqual(told(varveTold, topic))
      const directory = join(root, 'varve', `${topic}-0`)
      const logs = filesIn(directory, '.log')
      expect(logs.length).toBeGreaterThan(1)
      const lines = dump(logs, '--deep-iteration', '--print-data-log')
      expect(lines.filter((line) => COMPLAINTS.test(line))).toEqual([])
      expect(lines.filter((line) => line.startsWith('| offset: ')).length).toBe(told(varveTold, topic).length)
      const indexes = filesIn(directory, '.index', '.timeindex').filter((file) => statSync(file).size > 0)
      expect(
        dump(indexes, '--index-sanity-check').filter((line) => !/^Dumping| passed sanity check/.test(line)),
      ).toEqual([])
      // the newest, and the one before it
      const snapshots = filesIn(directory, '.snapshot')
      const producers = dump(snapshots.slice(-1)).filter((line) => !line.startsWith('Dumping'))
      const ends = [...told(varveTold, topic)].map((line) => Number(line.split(' ')[0]))
      const last = producers.map((line) => Number(/lastOffset: (\d+)|offset: (\d+)/.exec(line)?.slice(1).find(Boolean)))
      expect(producers.length).toBe(topic === 'transactions' ? 1 : 5)
      expect(producers.every((line) => /producerEpoch: 0 /.test(line))).toBe(true)
      expect(Math.max(...last)).toBe(ends.at(-1))
    }
  })
})

/** What stands last under each key, without where. */
function lastOfKeys(records: readonly string[]): Map<string, string> {
  return new Map(records.map((line) => [line.split(' ')[2], line]))
}
