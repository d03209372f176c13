/**
 * What Varve wrote, read by Apache Kafka: by its kafka-dump-log, and by its broker's log itself.
 */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Varve } from '../../src/client/varve.ts'
import { compressionTypes } from '../../src/codec/compression.ts'
import type { ProducerRecord } from '../../src/engine/record-encoding.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'
import { findKafka, runJava } from './kafka.ts'

const DUMP = 'org.apache.kafka.tools.DumpLogSegments'
const TAKE_OVER = fileURLToPath(new URL('TakeOver.java', import.meta.url))
const INDEX_INTERVAL_BYTES = 600
const NOW = 1_700_000_000_000
/** What kafka-dump-log says when something is not as it should be. */
const COMPLAINTS = /mismatch|out of order|not found|invalid|isvalid: false|error|exception|\d is followed by/i

interface DumpedBatch {
  baseOffset: number
  count: number
  position: number
  sizeBytes: number
  leaderEpoch: number
  compressionType: string
  timestamps: string
  records: string[]
}

const kafka = findKafka()

// reason: without Java and Maven there is no Kafka to ask; findKafka says so on the console
describe.skipIf(kafka.missing !== undefined)('a directory that Varve wrote', () => {
  let directory: string
  let log: Varve
  const topics = [...compressionTypes.map((type) => `codec-${type}`), 'append-time', 'killed', 'before-1970']

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'varve-interop-'))
    await write(join(directory, 'killed'), false)
    cpSync(join(directory, 'killed'), join(directory, 'log'), { recursive: true })
    await log.close()
    await write(join(directory, 'log'), true)
    await log.close()
    log = await Varve.open({ directory: join(directory, 'log'), readOnly: true })
  }, 60_000)

  afterAll(async () => {
    await log.close()
    rmSync(directory, { recursive: true })
  })

  /** Appends to all topics; the first of two times the log is left as a process leaves it that is killed. */
  async function write(path: string, again: boolean): Promise<void> {
    const random = new SeededRandom(again ? 2 : 1)
    log = await Varve.open({ directory: path, flush: 'os' })
    const config = { segmentBytes: 8000, indexIntervalBytes: INDEX_INTERVAL_BYTES, valueCodec: 'string' } as const
    const written = again ? ['killed'] : topics
    for (const name of written) {
      const compressionType = compressionTypes.find((type) => name.endsWith(type)) ?? 'none'
      const messageTimestampType = name === 'append-time' ? 'LogAppendTime' : 'CreateTime'
      if (!again) await log.createTopic({ name, ...config, compressionType, messageTimestampType })
      const start = name === 'before-1970' ? -3_000_000 : NOW
      for (let batch = 0; batch < 60; batch++) await log.appendBatch(name, records(random, start + batch * 100_000))
    }
  }

  function records(random: SeededRandom, timestamp: number): ProducerRecord[] {
    return Array.from({ length: random.between(1, 25) }, () => ({
      key: random.pick([null, '', 'k', 'a longer key, naïve-鍵']),
      value: random.pick([
        null,
        '',
        'v',
        'the quick brown fox',
        Buffer.from(random.bytes(random.below(200))).toString('hex'),
      ]),
      headers: random.pick([
        [],
        [['h', null]],
        [
          ['a', '1'],
          ['a', ''],
          ['ä', 'b'],
        ],
      ]) as [string, string | null][],
      timestamp: timestamp + random.below(1000) - 500,
    }))
  }

  const folder = (topic: string) => join(directory, 'log', `${topic}-0`)

  function filesOf(names: readonly string[], suffixes: readonly string[]): string[] {
    return names.flatMap((topic) => {
      const files = readdirSync(folder(topic)).filter((file) => suffixes.some((suffix) => file.endsWith(suffix)))
      return files.map((file) => join(folder(topic), file))
    })
  }

  const dump = (files: readonly string[], ...flags: string[]) =>
    runJava(kafka, DUMP, ...flags, '--files', files.join(','))

  test('holds several segments of each topic, as the tests below need', () => {
    for (const topic of topics) expect([topic, filesOf([topic], ['.log']).length > 2]).toEqual([topic, true])
  })

  test('passes kafka-dump-log: every batch valid, every record what Varve reads', async () => {
    const files = filesOf(topics, ['.log'])
    const lines = dump(files, '--deep-iteration', '--print-data-log').trim().split('\n')
    // to the tool every segment but the first is one that does not follow on -1, Kafka's own as well
    const told = lines.filter((line) => !/^Non-consecutive offsets in |^ {2}-1 is followed by /.test(line))
    const gap = await gapAfterKill()
    expect(told.filter((line) => COMPLAINTS.test(line))).toEqual([gap])
    const dumped = parseDump(told.filter((line) => line !== gap))
    expect([...dumped.keys()]).toEqual(files)
    for (const topic of topics) {
      const found = filesOf([topic], ['.log']).flatMap((file) => dumped.get(file)!)
      const expected: DumpedBatch[] = []
      for await (const batch of log.readBatches(topic)) {
        const kind = topic === 'append-time' ? 'LogAppendTime' : 'CreateTime'
        expected.push({
          baseOffset: batch.baseOffset,
          count: batch.recordCount,
          position: positionIn(found, expected.length),
          sizeBytes: batch.bytes.length,
          leaderEpoch: batch.leaderEpoch,
          compressionType: batch.compressionType,
          timestamps: `${kind}: ${batch.maxTimestamp}`,
          records: batch.records().map(({ offset, timestamp, keyBytes, valueBytes, rawHeaders }) => {
            const sizes = `keySize: ${keyBytes?.length ?? -1} valueSize: ${valueBytes?.length ?? -1}`
            const names = rawHeaders.map(([name]) => name).join(',')
            const key = keyBytes === null ? '' : ` key: ${keyBytes.toString()}`
            const value = valueBytes === null ? '' : ` payload: ${valueBytes.toString()}`
            return `| offset: ${offset} ${kind}: ${timestamp} ${sizes} sequence: -1 headerKeys: [${names}]${key}${value}`
          }),
        })
      }
      expect(found).toEqual(expected)
    }
  })

  test('passes the checks of index files that a broker makes at its start', () => {
    // of a file without entries the tool says only that
    const files = filesOf(topics, ['.index', '.timeindex']).filter((file) => statSync(file).size > 0)
    const lines = dump(files, '--index-sanity-check').trim().split('\n')
    expect(lines).toEqual(files.flatMap((file) => [`Dumping ${file}`, `${file} passed sanity check.`]))
  })

  test('has index entries that lead kafka-dump-log to the right batches', () => {
    // Kafka takes a timestamp of -1 for none, so the tool has no use for entries of earlier ones
    const since1970 = topics.filter((topic) => topic !== 'before-1970')
    const files = [...filesOf(topics, ['.index']), ...filesOf(since1970, ['.timeindex'])]
    const lines = dump(files, '--deep-iteration').trim().split('\n')
    expect(lines.filter((line) => COMPLAINTS.test(line))).toEqual([])
    const entries = lines.filter((line) => /^(offset|timestamp): /.test(line))
    expect(lines.filter((line) => !/^(offset|timestamp): |^Dumping | is empty\.$/.test(line))).toEqual([])
    expect(entries.length).toBeGreaterThan(files.length * 3)
    const verified = dump(files, '--verify-index-only').trim().split('\n')
    expect(verified.filter((line) => !/^Dumping | is empty\.$/.test(line))).toEqual([])
  })

  test('would not pass with a damaged record, or an index entry that is wrong', () => {
    const copy = mkdtempSync(join(directory, 'damaged-'))
    cpSync(folder('codec-none'), copy, { recursive: true })
    const [logFile, index, timeIndex] = ['.log', '.index', '.timeindex'].map((suffix) =>
      join(
        copy,
        readdirSync(copy).find((file) => file.endsWith(suffix))!,
      ),
    )
    change(index, 3)
    expect(dump([index], '--verify-index-only')).toMatch(/Mismatches in/)
    change(timeIndex, 7)
    expect(dump([timeIndex], '--verify-index-only')).toMatch(/Found timestamp mismatch/)
    change(logFile, 100)
    expect(dump([logFile])).toMatch(/isvalid: false/)
  })

  test('is recovered by Kafka without a byte cut, into the very indexes that Varve wrote', async () => {
    // Kafka indexes no timestamps before 1970
    const names = topics.filter((topic) => topic !== 'before-1970')
    const copies = copyPartitions('recovered', names)
    const lines = takeOver('recover', copies)
    for (const [i, topic] of names.entries()) {
      const [{ logStartOffset, logEndOffset }] = log.offsets(topic)
      let count = 0
      for await (const batch of log.readBatches(topic)) count += batch.recordCount
      const first = await log.read(topic, { from: { timestamp: NOW + 2_000_000 } }).next()
      expect([topic, lines[i]]).toEqual([topic, [logStartOffset, logEndOffset, count, first.value?.offset ?? -1]])
      const files = readdirSync(folder(topic)).filter((file) => /\.(log|index|timeindex)$/.test(file))
      for (const file of files) {
        const [ours, theirs] = [join(folder(topic), file), join(copies[i], file)].map((path) =>
          readFileSync(path, 'hex'),
        )
        expect([topic, file, theirs]).toEqual([topic, file, ours])
      }
    }
  })

  test('may be appended to by Kafka, and taken over from it again with all records', async () => {
    takeOver('append', copyPartitions('returned', topics))
    await using again = await Varve.open({ directory: join(directory, 'returned') })
    for (const topic of topics) {
      await again.adoptTopic({ name: topic, valueCodec: 'string' })
      const before = await values(log, topic)
      expect(await values(again, topic)).toEqual([...before, ...compressionTypes.map((type) => `Kafka's, ${type}`)])
    }
    expect(again.recovery.damage).toEqual([])
  })

  /** What the tool says of the offsets that were skipped because the killed writer may have handed them out. */
  async function gapAfterKill(): Promise<string> {
    let last = -1
    for await (const { baseOffset, lastOffset } of log.readBatches('killed')) {
      if (baseOffset !== last + 1) return `  ${last} is followed by ${baseOffset}`
      last = lastOffset
    }
    return 'there is no gap'
  }

  /** Copies partitions to where Kafka may change them, and gives the directories. */
  function copyPartitions(name: string, names: readonly string[]): string[] {
    return names.map((topic) => {
      const copy = join(directory, name, `${topic}-0`)
      cpSync(folder(topic), copy, { recursive: true })
      return copy
    })
  }

  function takeOver(how: 'recover' | 'append', folders: readonly string[]): number[][] {
    const output = runJava(kafka, TAKE_OVER, how, `${INDEX_INTERVAL_BYTES}`, `${NOW + 2_000_000}`, ...folders)
    return output
      .trim()
      .split('\n')
      .map((line) => line.split(' ').map(Number))
  }
})

async function values(log: Varve, topic: string): Promise<unknown[]> {
  const found: unknown[] = []
  for await (const record of log.read(topic)) found.push(record.value)
  return found
}

/** Batches stand one behind the other in each file. */
function positionIn(batches: readonly DumpedBatch[], index: number): number {
  const previous = batches[index - 1]
  const startsFile = index === 0 || batches[index]?.position === 0
  return startsFile ? 0 : previous.position + previous.sizeBytes
}

/** Reads what kafka-dump-log prints for `.log` files: batches by file. */
function parseDump(lines: readonly string[]): Map<string, DumpedBatch[]> {
  const files = new Map<string, DumpedBatch[]>()
  let batches: DumpedBatch[] = []
  for (const line of lines) {
    const file = /^Dumping (.*)$/.exec(line)?.[1]
    if (file !== undefined) files.set(file, (batches = []))
    else if (line.startsWith('| ')) batches.at(-1)!.records.push(line)
    else if (line.startsWith('baseOffset: ')) batches.push(parseBatch(line))
    else if (!/^Log starting offset: \d+$/.test(line)) throw new Error(`kafka-dump-log said: ${line}`)
  }
  return files
}

function parseBatch(line: string): DumpedBatch {
  const field = (name: string) => new RegExp(`\\b${name}: (\\S+)`).exec(line)![1]
  expect([field('producerId'), field('baseSequence'), field('magic'), field('isvalid')]).toEqual([
    '-1',
    '-1',
    '2',
    'true',
  ])
  expect(Number(field('lastOffset')) - Number(field('baseOffset')) + 1).toBe(Number(field('count')))
  return {
    baseOffset: Number(field('baseOffset')),
    count: Number(field('count')),
    position: Number(field('position')),
    sizeBytes: Number(field('size')),
    leaderEpoch: Number(field('partitionLeaderEpoch')),
    compressionType: field('compresscodec'),
    timestamps: /(CreateTime|LogAppendTime): -?\d+/.exec(line)![0],
    records: [],
  }
}

function change(file: string, at: number): void {
  const bytes = readFileSync(file)
  bytes[at] ^= 1
  writeFileSync(file, bytes)
}
