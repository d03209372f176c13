/** Kafka's own Java clients against a server of this process. */
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { Varve } from '../../src/client/varve.ts'
import { startKafka, type KafkaServer } from '../../src/kafka/index.ts'
import { all } from '../helpers/logs.ts'
import { startCli, temporaryDirectory } from '../helpers/run-cli.ts'
import { JavaProcess, untilAll } from './java-process.ts'
import { findKafka } from './kafka.ts'

const CLIENTS = fileURLToPath(new URL('JavaClients.java', import.meta.url))
/** The server gives 45 s to a member of the newer protocol: it leaves, unless VARVE_JAVA_DEATHS says that it dies as well. */
const DIES_ANYWAY = process.env['VARVE_JAVA_DEATHS'] === '1'
/** VARVE_JAVA_LOAD says how many others there are to be. */
const LOAD_RECORDS = Number(process.env['VARVE_JAVA_LOAD'] ?? 4_000)
const kafka = findKafka()

function run({ bootstrapServers }: KafkaServer, ...command: string[]): JavaProcess {
  return new JavaProcess(kafka, CLIENTS, bootstrapServers[0], ...command)
}

/** What it is assigned now. */
function assigned({ lines }: JavaProcess): string[] {
  const last = lines.findLast((line) => line.startsWith('assigned'))
  return (last ?? '').split(' ')[1]?.split(',').filter(Boolean) ?? []
}

const read = ({ lines }: JavaProcess) => lines.filter((line) => line.startsWith('read ')).map((line) => line.slice(5))

// reason: without Java and Maven there are no clients; findKafka says so on the console
describe.skipIf(kafka.missing !== undefined)('the Java clients', () => {
  test('produce with every codec, headers and nulls, and read it back, as does the log itself', async () => {
    await using server = await startKafka({ topics: [{ name: 't', partitions: 3 }] })
    await using java = run(server, 'records', 't')
    const lines = await java.end()
    const told = lines.filter((line) => line.startsWith('read ')).map((line) => line.slice(5))
    const expected = ['none', 'gzip', 'snappy', 'lz4', 'zstd'].flatMap((codec, block) =>
      Array.from({ length: 100 }, (_, i) => {
        const [key, value] = [i % 7 === 0 ? null : `k${i % 20}`, i % 11 === 0 ? null : `${codec}${i}`]
        const at = block * 100 + i
        return `${at} ${key} ${value} ${1_700_000_000_000 + at} true`
      }),
    )
    expect(told.toSorted()).toEqual(expected.toSorted())
    const records = await all(server.log.read('t'))
    const text = (bytes: Uint8Array | null) => (bytes === null ? null : Buffer.from(bytes).toString())
    const found = records.map((it) => {
      const hasNull = it.headers['none'] === null
      return `${it.headers['at']} ${it.key} ${text(it.valueBytes)} ${it.timestamp} ${hasNull}`
    })
    expect(found.toSorted()).toEqual(expected.toSorted())
    for (const line of lines.filter((one) => one.startsWith('time '))) {
      const [partition, offset, timestamp] = line.split(' ').slice(1).map(Number)
      const later = records.filter((it) => it.partition === partition && it.timestamp >= 1_700_000_000_250)
      const first = later.toSorted((a, b) => a.offset - b.offset)[0]
      expect([offset, timestamp]).toEqual([first.offset, first.timestamp])
    }
    const ends = server.log.offsets('t').map(({ logEndOffset }, partition) => `${partition}=${logEndOffset}`)
    expect(lines).toContain(`ends {0=0, 1=0, 2=0} {${ends.join(', ')}}`)
  })

  test.each([
    ['classic', 'RangeAssignor'],
    ['classic', 'RoundRobinAssignor'],
    ['classic', 'CooperativeStickyAssignor'],
    ['consumer', ''],
  ])(
    'share a group (%s %s): one joins, one goes, and all is read',
    { timeout: 120_000 },
    async (protocol, strategy) => {
      const logOptions = { groups: { minSessionTimeoutMs: 1_000 } }
      await using server = await startKafka({ topics: [{ name: 't', partitions: 4 }], logOptions })
      const member = () => run(server, 'member', 't', 'g', protocol, strategy)
      const send = async (from: number) => {
        const records = Array.from({ length: 20 }, (_, i) => ({
          value: Buffer.from(String(from + i)),
          partition: i % 4,
        }))
        for (const record of records) await server.log.append('t', record)
      }
      await using first = member()
      await send(0)
      await first.until(() => assigned(first).length === 4 && new Set(read(first)).size === 20)
      await using second = member()
      const values = () => new Set([...read(first), ...read(second)])
      const shared = () => [...assigned(first), ...assigned(second)].toSorted().join(',') === '0,1,2,3'
      await untilAll([first, second], () => shared() && assigned(first).length === 2)
      await send(20)
      await untilAll([first, second], () => values().size === 40)
      if (protocol === 'classic' || DIES_ANYWAY) await second.kill()
      else second.say('stop')
      await first.until(() => assigned(first).length === 4)
      await send(40)
      await first.until(() => values().size === 60)
      first.say('stop')
      await first.end()
      expect((await server.log.describeGroup('g')).state).toBe('Empty')
    },
  )

  test('administer', async () => {
    await using server = await startKafka()
    await using java = run(server, 'admin')
    expect(await java.end()).toMatchInlineSnapshot(`
      [
        "create: 2",
        "create again: TopicExistsException",
        "list: [a]",
        "describe: [0, 1]",
        "describe unknown: UnknownTopicOrPartitionException",
        "partitions: null",
        "fewer partitions: InvalidPartitionsException",
        "alter: null",
        "configs: 5000000 70000 DYNAMIC_TOPIC_CONFIG",
        "delete records: 4",
        "earliest: 4",
        "latest: 10",
        "max timestamp: true",
        "alter offsets: null",
        "offsets: 7",
        "groups: [g Empty]",
        "group: Empty",
        "unknown group: GroupIdNotFoundException",
        "delete offsets: null",
        "delete group: GroupIdNotFoundException",
        "nodes: 1",
        "controller: 1",
        "log dirs: true",
        "producers: 1",
        "features: 0",
        "transactions: UnsupportedVersionException",
        "elect: UnsupportedVersionException",
        "delete: null",
        "delete again: UnknownTopicOrPartitionException",
        "done",
      ]
    `)
  })

  test('lose nothing and double nothing when the server is killed and started anew under their load', async () => {
    const directory = temporaryDirectory()
    const serve = async (port: string) => {
      const child = startCli(['serve', '--port', port, '--partitions', '4', '--json', '-d', directory])
      const [line] = (await once(child.stdout, 'data')) as [Buffer]
      const { bootstrapServers } = JSON.parse(line.toString()) as { bootstrapServers: string[] }
      return { child, bootstrapServer: bootstrapServers[0] }
    }
    let { child, bootstrapServer } = await serve('0')
    await using java = new JavaProcess(kafka, CLIENTS, bootstrapServer, 'load', 't', String(LOAD_RECORDS))
    for (let part = 1; part <= 3; part++) {
      const acknowledged = Math.round((LOAD_RECORDS * part) / 500) * 100
      await java.until((lines) => lines.includes(`acknowledged ${acknowledged}`))
      child.kill('SIGKILL')
      await once(child, 'close')
      ;({ child, bootstrapServer } = await serve(bootstrapServer.split(':')[1]))
    }
    expect(await java.end()).toContain(`all ${LOAD_RECORDS}`)
    child.kill('SIGTERM')
    await once(child, 'close')
    await using log = await Varve.open({ directory, readOnly: true })
    const found: number[] = []
    for (let partition = 0; partition < 4; partition++) {
      const inOrder = await all(log.read('t', { partition }))
      const numbers = inOrder.map((it) => Number(Buffer.from(it.valueBytes!).toString()))
      expect(numbers).toEqual(numbers.toSorted((a, b) => a - b))
      found.push(...numbers)
    }
    expect(found.toSorted((a, b) => a - b)).toEqual(Array.from({ length: LOAD_RECORDS }, (_, i) => i))
  })
})
