/** Moving about, holding back, stopping, and what is said when that is not possible. */
import { describe, expect, test } from 'vitest'
import type { Consumer } from '../../src/client/consumer.ts'
import type { ConsumerRecord } from '../../src/codec/record.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import {
  appendEach,
  committedBy,
  consumerOf,
  fakeLog,
  gate,
  GROUP,
  ORDERS,
  ordersLog,
  placeOf,
  take,
  until,
  untilCommitted,
  untilLater,
} from '../helpers/consuming.ts'
import { changeFile, idle, openLog, rejection, segmentPath, thrown } from '../helpers/logs.ts'

const P0 = { topic: ORDERS, partition: 0 }
const P1 = { topic: ORDERS, partition: 1 }

describe('seek', () => {
  test('goes on at an offset, at a time, at either edge', async () => {
    const { log, clock } = await fakeLog(0)
    for (let i = 0; i < 6; i++) {
      clock.advance(1_000)
      await log.append(ORDERS, { value: i })
    }
    const consumer = consumerOf(log)
    await take(consumer, 1)
    const timestamp = clock.now() - 1_500
    const places = [4, 'earliest', 0, { timestamp }, { timestamp: 0 }] as const
    const first: string[] = []
    for (const place of places) {
      await consumer.seek(P0, place)
      first.push(...(await take(consumer, 1)))
    }
    expect(first).toEqual(['0/4', '0/0', '0/0', '0/4', '0/0'])
    for (const end of ['latest', 7, { timestamp: clock.now() + 1 }] as const) {
      await consumer.seek(P0, end)
      const next = take(consumer, 1)
      await idle(20)
      const [{ logEndOffset }] = log.offsets(ORDERS)
      await appendEach(log, 1)
      expect(await next).toEqual([`0/${logEndOffset}`])
    }
    await log.deleteRecords(ORDERS, { partition: 0, beforeOffset: 2 })
    for (const outside of [1, 10, 100]) {
      expect((await rejection(consumer.seek(P0, outside))).code).toBe('OFFSET_OUT_OF_RANGE')
    }
    expect((await rejection(consumer.seek(P1, 0))).code).toBe('ILLEGAL_GENERATION')
    for (const wrong of ['first', -1, 1.5, null, new Date(0), {}]) {
      const { constructor } = await rejection(consumer.seek(P0, wrong as never))
      expect([TypeError, RangeError]).toContain(constructor)
    }
    await log.close()
  })

  test('in the body of a loop: the next record is the one that was sought', async () => {
    const log = await ordersLog(0)
    await log.appendBatch(
      ORDERS,
      Array.from({ length: 6 }, (_, value) => ({ value })),
    )
    const consumer = consumerOf(log, { autoCommit: true })
    const seen: number[] = []
    for await (const { offset } of consumer) {
      seen.push(offset)
      if (seen.length === 2) await consumer.seek(P0, 4)
      if (seen.length === 4) await consumer.seek(P0, 0)
      if (seen.length === 6) break
    }
    expect(seen).toEqual([0, 1, 4, 5, 0, 1])
    await consumer.close()
    // up to the record that it was at
    expect(await committedBy(log)).toEqual([1])
    await log.close()
  })

  test('in a handler: what it has processed says nothing of what comes after', async () => {
    const log = await ordersLog(0)
    await log.appendBatch(
      ORDERS,
      Array.from({ length: 6 }, (_, value) => ({ value })),
    )
    const consumer = consumerOf(log)
    const seen: number[] = []
    const run = consumer.run(async ({ offset }) => {
      seen.push(offset)
      if (seen.length === 5) await consumer.seek(P0, 1)
      await idle(1)
      if (seen.length === 7) void consumer.close()
    })
    await run
    expect(seen).toEqual([0, 1, 2, 3, 4, 1, 2])
    expect(await committedBy(log)).toEqual([3])
    await log.close()
  })

  test('before what it seeks is read, while a read is under way', async () => {
    const log = await ordersLog(9)
    const consumer = consumerOf(log)
    await take(consumer, 1)
    for (const offset of [3, 7, 5]) {
      const next = take(consumer, 1)
      await consumer.seek(P0, offset)
      expect(await next).toEqual([`0/${offset}`])
    }
    await log.close()
  })
})

describe('pause', () => {
  test('a partition hands out nothing after the current record, and all of the rest once it is resumed', async () => {
    const log = await ordersLog(0, 2)
    for (const partition of [0, 1]) {
      await log.appendBatch(
        ORDERS,
        Array.from({ length: 5 }, (_, value) => ({ value, partition })),
      )
    }
    for (const how of ['run', 'loop'] as const) {
      const consumer = consumerOf(log, { groupId: how })
      const seen: string[] = []
      const handle = (record: ConsumerRecord) => {
        seen.push(placeOf(record))
        if (placeOf(record) === '0/1') consumer.pause([P0])
      }
      const consuming = (async () => {
        if (how === 'run') await consumer.run(handle)
        else for await (const record of consumer) handle(record)
      })()
      await until(() => seen.length === 7)
      await idle(50)
      expect(seen.filter((place) => place.startsWith('0'))).toEqual(['0/0', '0/1'])
      consumer.resume()
      consumer.pause([P1])
      await until(() => seen.length === 10)
      expect(seen.filter((place) => place.startsWith('0'))).toEqual(['0/0', '0/1', '0/2', '0/3', '0/4'])
      expect(new Set(seen).size).toBe(10)
      await consumer.close()
      await consuming
    }
    await log.close()
  })

  test('all at once, with records that come meanwhile; what is not assigned cannot be', async () => {
    const log = await ordersLog(1, 2)
    const consumer = consumerOf(log)
    const seen: string[] = []
    const run = consumer.run((record) => void seen.push(placeOf(record)))
    await until(() => seen.length === 2)
    consumer.pause()
    await appendEach(log, 3, 1)
    await idle(50)
    expect(seen).toHaveLength(2)
    consumer.resume()
    await until(() => seen.length === 5)
    expect(thrown(() => consumer.pause([{ topic: ORDERS, partition: 2 }])).code).toBe('ILLEGAL_GENERATION')
    expect(thrown(() => consumer.resume([{ topic: 'no', partition: 0 }])).code).toBe('ILLEGAL_GENERATION')
    await log.close()
    await run
  })
})

describe('signals', () => {
  test("a consumer's own closes it: it commits, leaves, and whoever waits hears the reason", async () => {
    const { log, clock } = await fakeLog(3)
    for (const how of ['loop', 'run'] as const) {
      const stop = new AbortController()
      const revoked: unknown[] = []
      const consumer = consumerOf(log, {
        groupId: how,
        autoCommit: true,
        signal: stop.signal,
        onRevoked: async (partitions) => {
          await consumer.commit({ ...P0, offset: 3, metadata: 'the end' })
          revoked.push(partitions)
        },
      })
      let seen = 0
      const error = rejection(
        (async () => {
          if (how === 'run') return consumer.run(() => void seen++)
          for await (const _ of consumer) seen++
        })(),
      )
      await until(() => seen === 3)
      stop.abort(new Error('enough'))
      expect((await error).message).toBe('enough')
      await consumer.close()
      expect(revoked).toEqual([[P0]])
      expect((await log.describeGroup(how)).offsets).toMatchObject([{ committed: 3, metadata: 'the end' }])
      expect((await log.describeGroup(how)).members).toEqual([])
    }
    await log.close()
    expect(clock.timerCount).toBe(0)
  })

  test('one that has aborted makes no consumer and no run', async () => {
    const log = await ordersLog(1)
    const signal = AbortSignal.abort(new Error('too late'))
    expect(thrown(() => consumerOf(log, { signal })).message).toBe('too late')
    const consumer = consumerOf(log)
    expect((await rejection(consumer.run(() => {}, { signal }))).message).toBe('too late')
    expect(consumer.health().status).toBe('idle')
    await log.close()
  })
})

describe('close', () => {
  test('while it waits: the loop ends, and nobody is left', async () => {
    const { log, clock } = await fakeLog(1, 3)
    for (const turns of [0, 1, 2, 3, 4, 5, 8, 12, 20]) {
      const consumer = consumerOf(log, { groupId: `after ${turns}` })
      let isOver = false
      const loop = (async () => {
        for await (const _ of consumer);
        isOver = true
      })()
      const run = consumerOf(log, { groupId: `run after ${turns}` })
      const running = run.run(() => {})
      await idle(turns)
      await Promise.all([consumer.close(), run.close()])
      await until(() => isOver)
      await Promise.all([loop, running])
      expect(consumer.assignment()).toEqual([])
      expect(consumer.health().status).toBe('closed')
    }
    await log.close()
    expect([clock.timerCount, clock.holdCount]).toEqual([0, 0])
  })

  test('in the body of a loop: the loop ends there, and its record comes again', async () => {
    const log = await ordersLog(5)
    const consumer = consumerOf(log, { autoCommit: true })
    const seen: number[] = []
    for await (const { offset } of consumer) {
      seen.push(offset)
      if (offset === 2) await consumer.close()
    }
    expect(seen).toEqual([0, 1, 2])
    expect(await committedBy(log)).toEqual([2])
    await log.close()
  })

  test('in a handler: its record is committed, and no other one begins', async () => {
    const log = await ordersLog(5)
    const consumer = consumerOf(log)
    const seen: number[] = []
    await consumer.run(({ offset }) => {
      seen.push(offset)
      if (offset === 2) void consumer.close()
    })
    expect(seen).toEqual([0, 1, 2])
    expect(await committedBy(log)).toEqual([3])
    await log.close()
  })

  test('onRevoked may close, and is not waited for where it hangs', async () => {
    for (const hangs of [false, true]) {
      const { log, clock } = await fakeLog(3)
      const onRevoked = (): Promise<void> => (hangs ? new Promise(() => {}) : consumer.close())
      const consumer: Consumer = consumerOf(log, { onRevoked })
      await take(consumer, 1)
      let isClosed = false
      const closing = consumer.close({ graceMs: 500 }).then(() => (isClosed = true))
      await untilLater(clock, () => isClosed)
      await closing
      expect((await log.listGroups()).filter(({ members }) => members > 0)).toEqual([])
      await log.close()
    }
  })

  test('a handler that hangs is told after graceMs, and not waited for by anybody', async () => {
    const { log, clock } = await fakeLog(3, 2)
    for (const graceMs of [0, 5_000]) {
      const consumer = consumerOf(log, { groupId: `grace ${graceMs}` })
      const signals: AbortSignal[] = []
      const run = consumer.run(
        ({ offset }, { signal }) => {
          if (offset < 2) return
          signals.push(signal)
          return new Promise(() => {})
        },
        { concurrency: 2 },
      )
      await until(() => signals.length === 2)
      let isClosed = false
      const closing = consumer.close({ graceMs }).then(() => (isClosed = true))
      if (graceMs > 0) {
        await clock.advanceSlowly(graceMs - 1)
        await idle(20)
        expect([isClosed, signals[0].aborted]).toEqual([false, false])
      }
      await clock.advanceSlowly(1)
      await closing
      await run
      expect(signals.map(({ aborted }) => aborted)).toEqual([true, true])
      expect(await committedBy(log, `grace ${graceMs}`)).toEqual([2, 2])
      expect((await log.describeGroup(`grace ${graceMs}`)).state).toBe('Empty')
    }
    await log.close()
    expect([clock.timerCount, clock.holdCount]).toEqual([0, 0])
  })

  test('twice is fine; and afterwards nothing works any more', async () => {
    const log = await ordersLog(1)
    const consumer = consumerOf(log)
    await take(consumer, 1)
    await Promise.all([consumer.close(), consumer.close({ graceMs: 0 })])
    await consumer.close()
    expect(thrown(() => consumer[Symbol.asyncIterator]()).code).toBe('CLOSED')
    expect(thrown(() => consumer.batches()).code).toBe('CLOSED')
    expect((await rejection(consumer.run(() => {}))).code).toBe('CLOSED')
    expect((await rejection(consumer.seek(P0, 0))).code).toBe('CLOSED')
    expect(consumer.assignment()).toEqual([])
    for (const graceMs of [-1, 1.5, 2 ** 31, 'x']) {
      expect([TypeError, RangeError]).toContain((await rejection(consumer.close({ graceMs } as never))).constructor)
    }
    await log.close()
  })

  test('what onRevoked throws comes out of it, and the place is given up all the same', async () => {
    const log = await ordersLog(1)
    const consumer = consumerOf(log, {
      onRevoked: () => {
        throw new Error('cannot write')
      },
    })
    await take(consumer, 1)
    await until(() => consumer.assignment().length === 1)
    expect((await rejection(consumer.close())).message).toBe('cannot write')
    expect((await log.listGroups()).map(({ members }) => members)).toEqual([0])
    await log.close()
  })

  test('of the log: consumers finish what they are at, and are no members when it is opened again', async () => {
    const storage = new MemoryStorage()
    const log = await ordersLog(5, 2, { storage })
    const consumers = [consumerOf(log), consumerOf(log)]
    const finish = gate()
    let begun = 0
    const runs = consumers.map((consumer) => consumer.run(() => (begun++, finish.promise)))
    await until(() => begun === 2)
    const closing = log.close()
    await idle(20)
    finish.open()
    await closing
    await Promise.all(runs)
    expect(thrown(() => consumerOf(log)).code).toBe('CLOSED')
    const again = await openLog({ storage })
    expect(await again.describeGroup(GROUP)).toMatchObject({ state: 'Empty', members: [] })
    expect(await committedBy(again)).toEqual([1, 1])
    await again.close()
  })
})

describe('one at a time', () => {
  test('two loops, two runs, or both are refused', async () => {
    const log = await ordersLog(1)
    const consumer = consumerOf(log)
    const run = consumer.run(() => {})
    expect(thrown(() => consumer[Symbol.asyncIterator]())).toBeInstanceOf(TypeError)
    expect(await rejection(consumer.run(() => {}))).toBeInstanceOf(TypeError)
    await consumer.close()
    await run
    expect(await rejection(consumer.run('x' as never))).toBeInstanceOf(TypeError)
    expect(await rejection(consumer.run(() => {}, { concurrency: 0 }))).toBeInstanceOf(RangeError)
    await log.close()
  })

  test('a log that is open with readOnly makes no consumers', async () => {
    const storage = new MemoryStorage()
    await (await ordersLog(1, 1, { storage })).close()
    const log = await openLog({ storage, readOnly: true })
    expect(thrown(() => consumerOf(log)).code).toBe('READ_ONLY')
    await log.close()
  })

  test('options that are not what they should be are refused, with their names', async () => {
    const log = await ordersLog(1)
    const wrong: [object, string][] = [
      [{ groupId: '' }, 'groupId'],
      [{ topics: [] }, 'topics'],
      [{ topics: [ORDERS, ORDERS] }, 'topics'],
      [{ autoOffsetReset: 'none' }, 'autoOffsetReset'],
      [{ assignors: ['random'] }, 'assignors'],
      [{ heartbeatIntervalMs: 45_000 }, 'heartbeatIntervalMs'],
      [{ commitIntervalMs: 2 ** 31 }, 'commitIntervalMs'],
      [{ onLost: true }, 'onLost'],
      [{ extra: 1 }, 'extra'],
    ]
    for (const [options, name] of wrong) expect(thrown(() => consumerOf(log, options)).message).toContain(name)
    expect(thrown(() => consumerOf(log, { topics: ['no'] })).code).toBe('UNKNOWN_TOPIC_OR_PARTITION')
    expect(thrown(() => consumerOf(log, { topics: ['__varve_catalog'] })).code).toBe('INVALID_TOPIC_EXCEPTION')
    await log.close()
  })
})

test('seek, pause and resume refuse what is no partition, and a consumer that is closed', async () => {
  const log = await ordersLog(1)
  const consumer = consumerOf(log)
  await take(consumer, 1)
  const calls = {
    seek: (where: unknown) => consumer.seek(where as never, 0),
    pause: async (where: unknown) => consumer.pause([where as never]),
    resume: async (where: unknown) => consumer.resume([where as never]),
  }
  for (const [name, call] of Object.entries(calls)) {
    for (const wrong of [undefined, null, 5, ORDERS, {}, { topic: ORDERS, partition: '0' }]) {
      const error = await rejection(call(wrong))
      expect(error).toBeInstanceOf(TypeError)
      expect(error.message).toMatch(new RegExp(`^${name}: a partition is { topic, partition }`))
    }
    await call(P0)
  }
  for (const wrong of [5, ORDERS, {}, P0, null]) {
    expect(thrown(() => consumer.pause(wrong as never)).message).toMatch(/^pause: it takes an array/)
    expect(thrown(() => consumer.resume(wrong as never)).message).toMatch(/^resume: it takes an array/)
  }
  await consumer.close()
  for (const call of Object.values(calls)) expect((await rejection(call(P0))).code).toBe('CLOSED')
  await log.close()
})

describe('what cannot be read', () => {
  /** Ten batches of one record; that of offset 4 is damaged. */
  async function damagedLog() {
    const storage = new MemoryStorage()
    const log = await ordersLog(10, 1, { storage })
    await log.close()
    await changeFile(storage, segmentPath(ORDERS, 0, 0, '.log'), (bytes) => {
      const size = bytes.length / 10
      bytes[Math.floor(4.5 * size) + 25] ^= 1
    })
    return openLog({ storage })
  }

  for (const how of ['run', 'loop', 'batches'] as const) {
    test(`a damaged batch ends ${how} with an error that says where to go on; from there it goes on`, async () => {
      const log = await damagedLog()
      const consumer = consumerOf(log)
      const seen: number[] = []
      const consume = async () => {
        if (how === 'run') return consumer.run(({ offset }) => void seen.push(offset))
        if (how === 'loop') for await (const { offset } of consumer) seen.push(offset)
        else for await (const { baseOffset } of consumer.batches()) seen.push(baseOffset)
      }
      for (let time = 0; time < 2; time++) {
        const error = (await rejection(consume())) as Error & { details: { nextOffset: number } }
        expect(error).toMatchObject({ code: 'CORRUPT_MESSAGE', details: { offset: 4, nextOffset: 5 } })
        expect(seen.slice(0, 4)).toEqual([0, 1, 2, 3])
      }
      await consumer.seek(P0, 5)
      seen.splice(0)
      const rest = consume()
      await until(() => seen.length === 5)
      expect(seen).toEqual([5, 6, 7, 8, 9])
      await log.close()
      await rest
    })
  }

  test('a value that its codec cannot decode fails the handler at its record, and can be passed over', async () => {
    const log = await ordersLog(1)
    await log.alterTopic(ORDERS, { valueCodec: 'string' })
    await log.append(ORDERS, { value: '{' })
    await log.append(ORDERS, { value: '{}' })
    await log.alterTopic(ORDERS, { valueCodec: 'json' })
    const consumer = consumerOf(log)
    await take(consumer, 1)
    await until(() => consumer.assignment().length === 1)
    await consumer.seek(P0, 1)
    const error = await rejection(consumer.run(({ value }) => void value))
    expect(error).toMatchObject({ code: 'HANDLER_FAILED', details: { offset: 1 } })
    await consumer.seek(P0, 2)
    expect(await take(consumer, 1)).toEqual(['0/2'])
    await log.close()
  })
})

describe('autoOffsetReset', () => {
  const begin = async (
    autoOffsetReset: 'earliest' | 'latest' | 'error',
    prepare: (log: Awaited<ReturnType<typeof ordersLog>>) => Promise<unknown> = async () => {},
  ) => {
    const { log, clock } = await fakeLog(6)
    await prepare(log)
    const consumer = consumerOf(log, { autoOffsetReset })
    const seen: string[] = []
    const run = consumer.run((record) => void seen.push(placeOf(record)))
    let error: (Error & { code?: string }) | null = null
    run.catch((reason: Error) => (error = reason))
    await untilLater(clock, () => error !== null || consumer.assignment().length === 1)
    await idle(20)
    if (error === null) await appendEach(log, 1)
    await idle(20)
    await clock.advanceSlowly(50)
    await idle(20)
    return { log, clock, seen, error, consumer }
  }
  const commit = (offset: number) => (log: Awaited<ReturnType<typeof ordersLog>>) =>
    log.resetOffsets(GROUP, { to: { offset }, topics: [ORDERS], dryRun: false })

  test('nothing committed: from the beginning, from the end, or not at all', async () => {
    const earliest = await begin('earliest')
    expect(earliest.seen).toHaveLength(7)
    const latest = await begin('latest')
    expect(latest.seen).toEqual(['0/6'])
    const { error } = await begin('error')
    expect(error).toMatchObject({ code: 'OFFSET_OUT_OF_RANGE', details: { topic: ORDERS, partition: 0 } })
  })

  test('what is committed counts before it', async () => {
    for (const reset of ['earliest', 'latest', 'error'] as const) {
      expect((await begin(reset, commit(4))).seen).toEqual(['0/4', '0/5', '0/6'])
    }
  })

  test('what is committed and gone: the same', async () => {
    const gone = async (log: Awaited<ReturnType<typeof ordersLog>>) => {
      await commit(2)(log)
      await log.deleteRecords(ORDERS, { partition: 0, beforeOffset: 4 })
    }
    expect((await begin('earliest', gone)).seen).toEqual(['0/4', '0/5', '0/6'])
    expect((await begin('latest', gone)).seen).toEqual(['0/6'])
    expect((await begin('error', gone)).error).toMatchObject({ code: 'OFFSET_OUT_OF_RANGE' })
  })

  test('a group that began at the end keeps its place there, though nothing came', async () => {
    const { log, clock } = await fakeLog(6)
    const first = consumerOf(log, { autoOffsetReset: 'latest' })
    const run = first.run(() => {})
    await untilLater(clock, () => first.assignment().length === 1)
    await first.close()
    await run
    await appendEach(log, 2)
    await untilCommitted(clock, log, [6])
    const second = consumerOf(log, { autoOffsetReset: 'latest' })
    expect(await take(second, 2)).toEqual(['0/6', '0/7'])
    await log.close()
  })

  test('what is deleted from under a reader: it goes on as it would begin', async () => {
    const { log } = await fakeLog(6)
    const consumer = consumerOf(log)
    const seen: string[] = []
    for await (const record of consumer) {
      seen.push(placeOf(record))
      if (record.offset === 1) await log.deleteRecords(ORDERS, { partition: 0, beforeOffset: 4 })
      if (record.offset === 5) break
    }
    expect(seen.slice(0, 2)).toEqual(['0/0', '0/1'])
    expect(seen.slice(-2)).toEqual(['0/4', '0/5'])
    await log.close()
  })
})
