/** A client of Kafka's protocol that says exactly what a test wants it to, by the servers' own schemas. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { FieldReader, FieldWriter } from '../../src/codec/fields.ts'
import { readMessage, writeMessage } from '../../src/kafka/protocol/message.ts'
import type { Shape, Values } from '../../src/kafka/protocol/schema.ts'
import type { Api } from '../../src/kafka/api.ts'

/** An API as `defineApi` gives it, with its messages. */
export interface ApiMessages<Q extends Shape, A extends Shape> extends Api {
  request: Q
  response: A
}

export class KafkaTestClient implements AsyncDisposable {
  private received = Buffer.alloc(0)
  private readonly waiting = new Map<number, { resolve: (frame: Buffer) => void; reject: (error: Error) => void }>()
  private correlationId = 0

  private constructor(readonly socket: Socket) {
    socket.on('data', (chunk: Buffer) => {
      this.received = Buffer.concat([this.received, chunk])
      while (this.received.length >= 4 && this.received.length >= 4 + this.received.readInt32BE(0)) {
        const frame = this.received.subarray(4, 4 + this.received.readInt32BE(0))
        this.received = this.received.subarray(4 + frame.length)
        const id = frame.readInt32BE(0)
        this.waiting.get(id)?.resolve(frame)
        this.waiting.delete(id)
      }
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      for (const { reject } of this.waiting.values()) reject(new Error('the connection was closed'))
    })
  }

  static async connect(bootstrapServer: string): Promise<KafkaTestClient> {
    const at = bootstrapServer.lastIndexOf(':')
    const host = bootstrapServer.slice(0, at).replace(/^\[|\]$/g, '')
    const socket = connect(Number(bootstrapServer.slice(at + 1)), host)
    await once(socket, 'connect')
    return new KafkaTestClient(socket)
  }

  /** The bytes of a request, with their length. */
  encode<Q extends Shape, A extends Shape>(
    api: ApiMessages<Q, A>,
    version: number,
    values: Partial<Values<Q>>,
    correlationId: number,
  ): Buffer {
    const writer = new FieldWriter().int16(api.key).int16(version).int32(correlationId).nullableString('test')
    writer.flexible = version >= api.flexibleSince
    if (writer.flexible) writer.unsignedVarint(0)
    const defaults = Object.fromEntries(Object.entries(api.request).map(([name, field]) => [name, field.default]))
    writeMessage(api.request, version, { ...defaults, ...values } as Values<Q>, writer)
    const body = writer.finish()
    return Buffer.concat([new FieldWriter().int32(body.length).finish(), body])
  }

  /** Asks, and resolves with the answer; rejects when the connection closes without one. */
  async send<Q extends Shape, A extends Shape>(
    api: ApiMessages<Q, A>,
    version: number,
    values: Partial<Values<Q>> = {},
  ): Promise<Values<A>> {
    const id = ++this.correlationId
    const answer = this.answerTo(id)
    this.socket.write(this.encode(api, version, values, id))
    const reader = new FieldReader((await answer).subarray(4), api.name)
    reader.flexible = version >= api.flexibleSince
    if (reader.flexible && api.key !== 18) reader.skipTags()
    const values_ = readMessage(api.response, version, reader)
    if (reader.remaining > 0) reader.fail(`${reader.remaining} bytes follow`)
    return values_
  }

  /** Resolves when the connection is gone, in order or not. */
  whenClosed(): Promise<void> {
    return this.socket.closed ? Promise.resolve() : new Promise((resolve) => this.socket.once('close', () => resolve()))
  }

  /** The frame that answers a request. */
  answerTo(correlationId: number): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      if (this.socket.closed) reject(new Error('the connection was closed'))
      else this.waiting.set(correlationId, { resolve, reject })
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.socket.closed) return
    this.socket.destroy()
    await this.whenClosed()
  }
}
