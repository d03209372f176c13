/** kcat of the system's packages, with an older librdkafka (2.0 in Debian 12): it asks for lower versions of each API. */
import { spawn, spawnSync } from 'node:child_process'
import { describe, expect, onTestFinished, test } from 'vitest'
import { compressionTypes } from '../../src/codec/compression.ts'
import { startKafka } from '../../src/kafka/start.ts'
import { jsonLines, resultOf } from '../helpers/run-cli.ts'
import { missing } from './driver.ts'
import { embeddedRecords, storedCodecs } from './sample.ts'

const isThere = spawnSync('kcat', ['-V']).status === 0
if (!isThere) missing('kcat')

/** Runs it to its end, with an input; gives what it printed. */
async function kcat(servers: string[], words: string[], input = ''): Promise<string> {
  const child = spawn('kcat', ['-b', servers.join(), '-q', ...words])
  onTestFinished(() => void child.kill('SIGKILL'))
  child.stdin.end(input)
  const { code, stdout, stderr } = await resultOf(child)
  if (code !== 0) throw new Error(`kcat ${words.join(' ')} ended with ${code}: ${stderr}`)
  return stdout
}

// reason: without kcat there is nothing to run; the console was told
describe.skipIf(!isThere)('kcat', () => {
  test.each(compressionTypes)('what it produces with codec %s, it and the log itself read back', async (codec) => {
    await using kafka = await startKafka({ topics: [{ name: 't', partitions: 2 }] })
    const values = Array.from({ length: 100 }, (_, i) => `value ${i} ${'the quick brown fox '.repeat(i % 9)}`)
    const lines = values.map((value, i) => `${i % 7 === 0 ? '' : `key ${i}`}\t${i % 5 === 0 ? '' : value}\n`)
    const words = [
      '-P',
      '-t',
      't',
      '-p',
      '1',
      '-z',
      codec,
      '-K',
      '\t',
      '-Z',
      '-H',
      'one=1',
      '-H',
      'nothing',
      '-H',
      'one=2',
    ]
    await kcat(kafka.bootstrapServers, words, lines.join(''))
    const expected = values.map((value, i) => ({
      key: i % 7 === 0 ? null : `key ${i}`,
      value: i % 5 === 0 ? null : value,
    }))
    const headers = [
      ['one', '1'],
      ['nothing', null],
      ['one', '2'],
    ]
    const stored = await embeddedRecords(kafka.log, 't')
    expect(stored).toEqual(expected.map((record) => expect.objectContaining({ ...record, headers, partition: 1 })))
    expect(await storedCodecs(kafka.log, 't')).toEqual([codec])
    const read = jsonLines(await kcat(kafka.bootstrapServers, ['-C', '-t', 't', '-e', '-J', '-o', 'beginning']))
    const flat = ['one', '1', 'nothing', null, 'one', '2']
    expect(read.map(({ key, payload }) => ({ key, value: payload }))).toEqual(expected)
    expect(read.map(({ offset }) => offset as number)).toEqual(values.map((_, i) => i))
    expect(read[0].headers).toEqual(flat)
  })

  test('it lists nodes and topics, makes a topic that is not there, and finds offsets by time', async () => {
    await using kafka = await startKafka({ topics: [{ name: 't', partitions: 2 }], brokers: 3, defaultPartitions: 4 })
    await kcat(kafka.bootstrapServers, ['-P', '-t', 'made'], 'x\n')
    for (let i = 0; i < 10; i++)
      await kafka.log.append('t', { partition: 0, value: Buffer.from('x'), timestamp: 1_000 * (i + 1) })
    const { brokers, topics } = JSON.parse(await kcat(kafka.bootstrapServers, ['-L', '-J'])) as {
      brokers: { id: number; name: string }[]
      topics: { topic: string; partitions: unknown[] }[]
    }
    expect(brokers.map(({ name }) => name).sort()).toEqual(kafka.bootstrapServers.toSorted())
    const counts = Object.fromEntries(topics.map(({ topic, partitions }) => [topic, partitions.length]))
    expect(counts).toEqual({ made: 4, t: 2 })
    const times = ['4500', '4000', '10001', '-1', '-2'].flatMap((time) => ['-t', `t:0:${time}`])
    const found = await Promise.all(
      [0, 1, 2, 3, 4].map((i) => kcat(kafka.bootstrapServers, ['-Q', ...times.slice(2 * i, 2 * i + 2)])),
    )
    expect(found.map((line) => Number(/offset (-?\d+)/.exec(line)![1]))).toEqual([4, 3, -1, 10, 0])
    const since = await kcat(kafka.bootstrapServers, ['-C', '-t', 't', '-p', '0', '-o', 's@6500', '-e', '-f', '%o,'])
    expect(since).toBe('6,7,8,9,')
  })

  test('a group of it goes on where the one before has stopped', async () => {
    await using kafka = await startKafka({ topics: [{ name: 't', partitions: 2 }] })
    const values = Array.from({ length: 30 }, (_, i) => String(i))
    const append = (part: string[]) =>
      kafka.log.appendBatch(
        't',
        part.map((value) => ({ partition: Number(value) % 2, value: Buffer.from(value) })),
      )
    const take = async () => {
      const words = ['-X', 'auto.offset.reset=earliest', '-e', '-f', '%s\n', '-G', 'g', 't']
      const lines = (await kcat(kafka.bootstrapServers, words)).trim().split('\n')
      return lines.sort((a, b) => Number(a) - Number(b))
    }
    await append(values.slice(0, 20))
    expect(await take()).toEqual(values.slice(0, 20))
    await append(values.slice(20))
    expect(await take()).toEqual(values.slice(20))
    expect((await kafka.log.lag('g')).map(({ committed }) => committed)).toEqual([15, 15])
  })
})
