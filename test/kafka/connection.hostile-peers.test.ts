/** Peers that do not mean to speak Kafka, or to end what they began: each costs its connection, and everybody else goes on. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import { apis } from '../../src/kafka/apis.ts'
import { apiVersions } from '../../src/kafka/apis/api-versions.ts'
import { fetch } from '../../src/kafka/apis/fetch.ts'
import { produce } from '../../src/kafka/apis/produce.ts'
import { ZERO_UUID } from '../../src/kafka/protocol/schema.ts'
import { clientBatch } from '../helpers/client-batch.ts'
import { hostileLengths, mutate, truncations } from '../helpers/hostile-bytes.ts'
import { inParallel } from '../helpers/in-parallel.ts'
import { lengthsOf, sampleRequest, type ApiWithRequest } from '../helpers/kafka-samples.ts'
import { sized } from '../helpers/kafka-scratch.ts'
import { KafkaSession, versionsOf } from '../helpers/kafka-session.ts'
import { offsetsOf } from '../helpers/logs.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'

const STALL_MS = 300
const MIB = 1024 * 1024
const CASES = Number(process.env['VARVE_FUZZ_TCP'] ?? 3_000)

async function open(): Promise<KafkaSession> {
  const session = await KafkaSession.open({ limits: { stallMs: STALL_MS } })
  await session.log.createTopic({ name: 't', valueCodec: 'bytes', maxMessageBytes: 2 * MIB })
  return session
}

setFlagsFromString('--expose-gc')
/** Lets go of all memory that nobody uses. */
const collect = runInNewContext('gc') as () => void

/** A peer of a server, and when its connection is gone. */
async function peerOf({ server }: KafkaSession): Promise<{ socket: Socket; closed: Promise<void> }> {
  const [host, port] = server.bootstrapServers[0].split(':')
  const socket = connect(Number(port), host)
  socket.on('error', () => {})
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  await once(socket, 'connect')
  return { socket, closed }
}

function producing(value: string) {
  const partitionData = [{ index: 0, records: [clientBatch([value])] }]
  return { acks: -1, topicData: [{ name: 't', topicId: ZERO_UUID, partitionData }] }
}

/** What a peer sends, and in how many lines it is told of. */
interface Hostile {
  send: (socket: Socket, session: KafkaSession) => void
  line: RegExp | null
}

const garbage = Buffer.from(new SeededRandom(7).bytes(5_000))
garbage[0] = 0xca

const peers: Record<string, Hostile> = {
  'an HTTP request': { send: (socket) => socket.write('GET / HTTP/1.1\r\nHost: kafka\r\n\r\n'), line: /speaks HTTP/ },
  'a TLS ClientHello': { send: (socket) => socket.write(Buffer.from('160301020001', 'hex')), line: /speaks TLS/ },
  garbage: { send: (socket) => socket.write(garbage), line: /none of Kafka's/ },
  'a length of 2 GiB and nothing else': {
    send: (socket) => socket.write(Buffer.from('7fffffff00000000', 'hex')),
    line: /2147483647 bytes/,
  },
  'a length below zero': {
    send: (socket) => socket.write(Buffer.from('80000000ffffffff', 'hex')),
    line: /-2147483648 bytes/,
  },
  'a length of zero': { send: (socket) => socket.write(Buffer.alloc(8)), line: /request of 0 bytes/ },
  'the largest length, and silence': {
    send: (socket) => socket.write(Buffer.from('06400000000000090000', 'hex')),
    line: /more than 300 ms/,
  },
  'one byte at a time': {
    send(socket, { client }) {
      const bytes = client.encode(apiVersions, 0, {}, 1)
      let at = 0
      const next = () => {
        if (socket.destroyed || at >= bytes.length - 1) return
        socket.write(bytes.subarray(at, ++at), () => setTimeout(next, 20))
      }
      next()
    },
    line: /more than 300 ms/,
  },
  'half a request, and half of the connection closed': {
    send: (socket, { client }) => socket.end(client.encode(apiVersions, 0, {}, 1).subarray(0, 9)),
    line: null,
  },
  'a reset in the middle of a produce': {
    send(socket, { client }) {
      const bytes = client.encode(produce, 9, producing('never'), 1)
      socket.write(bytes.subarray(0, bytes.length - 1), () => socket.resetAndDestroy())
    },
    line: null,
  },
  'a reset while it waits for records': {
    send(socket, { client }) {
      const unused = { lastFetchedEpoch: -1, logStartOffset: -1, replicaDirectoryId: ZERO_UUID, highWatermark: -1 }
      const asked = { partition: 0, fetchOffset: 1_000, currentLeaderEpoch: -1, partitionMaxBytes: MIB, ...unused }
      const topics = [{ topic: 't', topicId: ZERO_UUID, partitions: [asked] }]
      socket.write(client.encode(fetch, 12, { topics, maxWaitMs: 60_000, minBytes: 1 }, 1), () =>
        socket.resetAndDestroy(),
      )
    },
    line: null,
  },
  'questions, and no ear for the answers': {
    send(socket, { client }) {
      socket.pause()
      const unused = { lastFetchedEpoch: -1, logStartOffset: -1, replicaDirectoryId: ZERO_UUID, highWatermark: -1 }
      const asked = { partition: 0, fetchOffset: 0, currentLeaderEpoch: -1, partitionMaxBytes: 2 * MIB, ...unused }
      const topics = [{ topic: 't', topicId: ZERO_UUID, partitions: [asked] }]
      for (let id = 1; id <= 30; id++) socket.write(client.encode(fetch, 12, { topics }, id))
    },
    line: /to take an answer/,
  },
}

/** Sends what a peer has to send, and waits until the server has done with it. */
async function run(session: KafkaSession, { send, line }: Hostile): Promise<void> {
  const { socket, closed } = await peerOf(session)
  const named = `:${socket.localPort} closed`
  send(socket, session)
  // who does not read does not see the end either
  while (socket.isPaused() && !session.warnings.some((warning) => warning.includes(named)))
    await new Promise((resolve) => setTimeout(resolve, 20))
  socket.resume()
  await closed
  if (line === null) await session.client.send(apiVersions, 0)
}

describe('costs one connection, and one line where it said anything', () => {
  test.each(Object.entries(peers))('%s', async (_what, peer) => {
    await using session = await open()
    await session.log.append('t', { value: Buffer.alloc(MIB) })
    await run(session, peer)
    expect(session.warnings).toEqual(peer.line === null ? [] : [expect.stringMatching(peer.line)])
    expect(session.warnings.every((line) => /^connection of 127\.0\.0\.1:\d+ closed: [^\n]*$/.test(line))).toBe(true)
    expect(
      (await session.client.send(produce, 9, producing('after'))).responses[0].partitionResponses[0].errorCode,
    ).toBe(0)
    expect(await offsetsOf(session.log, 't')).toEqual([0, 1])
  })
})

test('200 of them at once leave the server, its memory and its log as they were', async () => {
  await using session = await open()
  await session.log.append('t', { value: Buffer.alloc(MIB) })
  const kinds = Object.values(peers)
  const all = Array.from({ length: 200 }, (_, i) => kinds[i % kinds.length])
  const round = async () => {
    const before = session.warnings.length
    const served = { count: 0, isOver: false }
    const serving = (async () => {
      for (; !served.isOver; served.count++) await session.client.send(produce, 9, producing('x'))
    })()
    await Promise.all(all.map((peer) => run(session, peer)))
    served.isOver = true
    await serving
    expect(served.count).toBeGreaterThan(0)
    expect(session.warnings.length - before).toBe(all.filter(({ line }) => line !== null).length)
    collect()
    const { heapUsed, external } = process.memoryUsage()
    return heapUsed + external
  }
  await round()
  const first = await round()
  await round()
  // what the server keeps for the next large answers is at most 32 MiB
  expect((await round()) - first).toBeLessThan(40 * MIB)
})

test(`${CASES} broken requests over TCP are answered or refused`, { timeout: 120_000 + CASES }, async () => {
  const random = new SeededRandom()
  const replay = `VARVE_SEED=${random.seed} VARVE_FUZZ_TCP=${CASES} npx vitest run test/kafka/connection.hostile-peers.test.ts`
  console.log(replay)
  await using session = await open()
  const { topicId } = await session.log.createTopic({ name: 'orders', partitions: 2, valueCodec: 'bytes' })
  const names = { topics: ['orders'], topicIds: [topicId], groups: ['g'] }
  const versions = (apis as ApiWithRequest[]).flatMap((api) =>
    versionsOf(api).map((version) => [api, version] as const),
  )
  const broken = () => {
    const [api, version] = random.pick(versions)
    const frame = sampleRequest(api, version, names, random)
    const kind = random.below(3)
    if (kind === 0) return random.pick([...truncations(frame), frame])
    if (kind === 1) return random.pick([...hostileLengths(frame, random.pick(lengthsOf(api, version, frame)))])
    return mutate(frame, frame, random)
  }
  const cases = Array.from({ length: CASES }, broken)
  await inParallel(20, cases, async (frame) => {
    const { socket, closed } = await peerOf(session)
    const answered = once(socket, 'data')
    answered.catch(() => {})
    socket.write(sized(frame))
    await Promise.race([answered, closed, new Promise((resolve) => setTimeout(resolve, 200))])
    socket.destroy()
    await closed
  })
  expect(
    session.warnings.filter((line) => !line.startsWith('connection of ')),
    replay,
  ).toEqual([])
  expect((await session.client.send(apiVersions, 0)).errorCode, replay).toBe(0)
})
