import { FieldWriter, type FieldReader } from '../codec/fields.ts'
import { VarveError } from '../errors.ts'
import type { Broker } from './broker.ts'
import type { KafkaConnection } from './connection.ts'
import { DONE, Refusal, type Outcome } from './error-codes.ts'
import { isLonger, readMessage, readMessageSlowly, writeMessage, writeMessageSlowly } from './protocol/message.ts'
import type { Pace } from './pace.ts'
import { struct, type Shape, type Values } from './protocol/schema.ts'

/** Who asks, and where. */
export interface Call {
  version: number
  clientId: string
  /** The client's address, as Kafka writes it: `/127.0.0.1`. */
  clientHost: string
  broker: Broker
  /** The node id of the listener that was called. */
  nodeId: number
  connection: KafkaConnection
  /** For whatever takes long. */
  pace: Pace
  /** Lets the next request that need not wait for this one's answer begin, where this one is too long to begin in one turn. */
  begun(): void
  /** Counts memory that the answer takes before it is written with the bytes of all connections, until then. */
  hold(bytes: number): void
  /** Calls `listener` when the answer has gone out, or never will: what it is made of may be used again then. */
  onAnswered(listener: () => void): void
}

/** One of Kafka's APIs: what is in its messages, in which versions, and what it does. */
export interface ApiDefinition<Q extends Shape, A extends Shape> {
  /** Kafka's number of it. */
  key: number
  name: string
  /** The versions that are served. */
  versions: readonly [first: number, last: number]
  /** What is advertised instead, where clients expect more than they use. */
  advertised?: readonly [first: number, last: number]
  /** The first version whose lengths are compact and whose structures end with tagged fields; Infinity: none. */
  flexibleSince: number
  request: Q
  response: A
  /** Requests of this kind need not wait for the answers of those before them: what they do is ordered when they begin. */
  isPipelined?: boolean
  /** Requests of this kind may be as large as any. */
  bringsRecords?: boolean
  /** Nothing keeps any part of the request once it is answered: its memory is used again. */
  isTransient?: boolean
  /** Does it. Null: the client waits for no answer. */
  handle(request: Values<Q>, call: Call): Values<A> | null | Promise<Values<A> | null>
  /** The answer where `handle` has thrown: with Kafka's number of the error wherever the answer has room for one. */
  refuse(request: Values<Q>, errorCode: number, message: string, call: Call): Values<A> | null
}

/** An API whose types are its own matter. */
export interface Api {
  key: number
  name: string
  versions: readonly [first: number, last: number]
  advertised: readonly [first: number, last: number]
  flexibleSince: number
  isPipelined: boolean
  bringsRecords: boolean
  isTransient: boolean
  /**
   * Reads the request, does it and writes the answer: resolves with the body in pieces, or null for none.
   *
   * @throws VarveError INVALID_REQUEST for a request that cannot be read
   */
  serve(body: FieldReader, call: Call): Promise<Buffer[] | null>
  /** The answer, in version 0, to a request of a version that is not served. */
  refuseVersion(call: Call): Buffer[]
}

/** A request of more bytes, or an answer of more items, may take long to read or write. */
const SHORT_BYTES_MAX = 1024 * 1024
const SHORT_ITEMS_MAX = 2_000

/** Makes one of what is particular to an API. */
export function defineApi<Q extends Shape, A extends Shape>(
  definition: ApiDefinition<Q, A>,
): Api & { request: Q; response: A } {
  const { key, name, versions, flexibleSince, request: shape, response } = definition
  const writerOf = (version: number): FieldWriter => {
    const writer = new FieldWriter()
    writer.flexible = version >= flexibleSince
    return writer
  }
  const write = (answer: Values<A>, version: number): Buffer[] => {
    const writer = writerOf(version)
    writeMessage(response, version, answer, writer)
    return writer.finishInPieces()
  }
  const writeSlowly = async (answer: Values<A>, { version, pace }: Call): Promise<Buffer[]> => {
    const writer = writerOf(version)
    await writeMessageSlowly(response, version, answer, writer, pace)
    return writer.finishInPieces()
  }
  return {
    key,
    name,
    versions,
    request: shape,
    response,
    advertised: definition.advertised ?? versions,
    flexibleSince,
    isPipelined: definition.isPipelined ?? false,
    bringsRecords: definition.bringsRecords ?? false,
    isTransient: definition.isTransient ?? false,
    async serve(body, call) {
      const { version } = call
      // what follows is not looked at, as in Kafka: librdkafka leaves 3 bytes behind a Metadata request for all topics
      const isShort = body.remaining <= SHORT_BYTES_MAX
      const request = isShort
        ? readMessage(shape, version, body)
        : await readMessageSlowly(shape, version, body, call.pace)
      let answer: Values<A> | null
      try {
        answer = await definition.handle(request, call)
      } catch (error) {
        call.broker.reportUnexpected(name, error)
        answer = definition.refuse(request, errorNumber(error), messageOf(error), call)
      }
      if (answer === null) return null
      return isLonger(answer, SHORT_ITEMS_MAX) ? writeSlowly(answer, call) : write(answer, version)
    },
    refuseVersion(call) {
      const error = new VarveError('UNSUPPORTED_VERSION', `${name} is served in versions ${versions.join(' to ')}`)
      const answer = definition.refuse(struct(shape).default, error.kafkaErrorNumber, error.message, call)
      return answer === null ? [] : write(answer, 0)
    },
  }
}

/** Kafka's number of what went wrong. */
export function errorNumber(error: unknown): number {
  if (error instanceof Refusal) return error.errorCode
  return error instanceof VarveError ? error.kafkaErrorNumber : -1
}

/** What went wrong, in words; not so many that no answer could hold them where a client's own are among them. */
export function messageOf(error: unknown): string {
  return (error as Error).message.slice(0, MESSAGE_CHARS_MAX)
}

const MESSAGE_CHARS_MAX = 1_000

/** Does one item of a request, which fails by itself. */
export async function outcomeOf(api: string, { broker, pace }: Call, action: () => Promise<void>): Promise<Outcome> {
  if (pace.isOver) await pace.rest()
  try {
    await action()
    return DONE
  } catch (error) {
    broker.reportUnexpected(api, error)
    return { errorCode: errorNumber(error), errorMessage: messageOf(error) }
  }
}

/** Those of some names that stand there more than once: a request that says two things of one is refused for it. */
export function repeated(names: readonly string[]): Set<string> {
  const seen = new Set<string>()
  return new Set(names.filter((name) => seen.has(name) || !seen.add(name)))
}
