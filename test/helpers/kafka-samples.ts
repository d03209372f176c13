/** Requests of every API and version, made by the schemas: sound ones, and where in them the lengths are. */
import { FieldReader, FieldWriter } from '../../src/codec/fields.ts'
import type { Api } from '../../src/kafka/api.ts'
import { readMessage, writeMessage } from '../../src/kafka/protocol/message.ts'
import type { Field, Shape, Type, Values } from '../../src/kafka/protocol/schema.ts'
import { ZERO_UUID } from '../../src/kafka/protocol/schema.ts'
import { clientBatch } from './client-batch.ts'
import type { SeededRandom } from './seeded-random.ts'

/** An API with the shape of its requests, which every one in apis.ts has. */
export type ApiWithRequest = Api & { request: Shape }

/** What there is that requests can name. */
export interface SampleNames {
  topics: readonly string[]
  topicIds: readonly string[]
  groups: readonly string[]
}

/** Numbers that mean something where they stand, so that requests get beyond the first check. */
const NUMBERS: { readonly [name: string]: readonly number[] } = {
  acks: [-1, 1],
  numPartitions: [1, 2, -1],
  replicationFactor: [1, -1],
  count: [3, 4],
  maxWaitMs: [0, 5],
  minBytes: [0, 1],
  maxBytes: [1_000_000, 0],
  partitionMaxBytes: [1_000_000, 1],
  sessionEpoch: [-1, 0, 1],
  sessionTimeoutMs: [6_000, 10_000],
  rebalanceTimeoutMs: [1_000],
  resourceType: [2, 4],
  brokerIds: [1],
  isolationLevel: [0, 1],
  currentLeaderEpoch: [-1],
  producerId: [-1, 0],
  producerEpoch: [-1, 0],
}
const ORDINARY_NUMBERS = [0, 1, -1, 0, 7]
const CONFIG_NAMES = ['retention.ms', 'cleanup.policy', 'max.message.bytes', 'nonsense']
const CONFIG_VALUES = ['1000000', 'delete', 'compact', '-1']

/** The bytes of a request without their length: header and body. */
export function sampleRequest(api: ApiWithRequest, version: number, names: SampleNames, random: SeededRandom): Buffer {
  const writer = new FieldWriter().int16(api.key).int16(version).int32(1).nullableString('fuzz')
  writer.flexible = version >= api.flexibleSince
  if (writer.flexible) writer.unsignedVarint(0)
  writeMessage(api.request, version, new Sample(names, random).struct(api.request, '') as Values<Shape>, writer)
  return writer.finish()
}

/** Makes up values, by the names of their fields. */
class Sample {
  constructor(
    private readonly names: SampleNames,
    private readonly random: SeededRandom,
  ) {}

  struct(shape: Shape, path: string): Record<string, unknown> {
    const entries = Object.entries(shape).map(([name, field]) => [name, this.field(name, field, `${path}/${name}`)])
    return Object.fromEntries(entries) as Record<string, unknown>
  }

  private field(name: string, field: Field<unknown>, path: string): unknown {
    return field.tag !== undefined && this.random.chance(0.3) ? field.default : this.value(name, field.type, path)
  }

  private value(name: string, type: Type, path: string): unknown {
    const { random } = this
    switch (type.kind) {
      case 'boolean':
        return random.chance(0.5)
      case 'int8':
      case 'int16':
      case 'int32':
      case 'int64':
        return random.pick(NUMBERS[name] ?? ORDINARY_NUMBERS)
      case 'uuid':
        return random.chance(0.7) ? random.pick([...this.names.topicIds, ZERO_UUID]) : this.strangeId()
      case 'string':
        return type.nullable && random.chance(0.2) ? null : this.text(name, path)
      case 'bytes':
        return type.nullable && random.chance(0.2) ? null : random.bytes(random.below(30))
      case 'records':
        return random.chance(0.1) ? null : [clientBatch(['one', 'two', 'three'].slice(random.below(3)))]
      case 'array':
        if (type.nullable && random.chance(0.2)) return null
        return Array.from({ length: random.chance(0.1) ? 0 : random.between(1, 2) }, () =>
          this.value(name, type.of, path),
        )
      case 'struct':
        return type.nullable && random.chance(0.3) ? null : this.struct(type.fields, path)
    }
  }

  private strangeId(): string {
    return Buffer.from(this.random.bytes(16)).toString('base64url')
  }

  private text(name: string, path: string): string {
    const { random, names } = this
    if (/configs\/name|configurationKeys/.test(path)) return random.pick(CONFIG_NAMES)
    if (/configs\/value/.test(path)) return random.pick(CONFIG_VALUES)
    if (/protocols?\/name|assignor/i.test(path)) return random.pick(['range', 'roundrobin'])
    if (/^memberId$/.test(name)) return random.pick(['', 'nobody'])
    if (/protocolType/.test(name)) return 'consumer'
    if (/clientSoftware/.test(name)) return 'fuzz-1'
    if (/group|coordinatorKeys|^key$|transactional/i.test(path) && !/topic/i.test(path))
      return random.pick(names.groups)
    if (/name|topic/i.test(name)) return random.chance(0.9) ? random.pick(names.topics) : `t${random.below(1000)}`
    return 'x'.repeat(random.below(12))
  }
}

/** How a length stands in the bytes. */
export type LengthKind = 'int16' | 'int32' | 'varint'

/** One length, or tag, in the bytes of a request. */
export interface LengthField {
  kind: LengthKind
  start: number
  end: number
}

/** Reads what a request is made of, and remembers where the lengths are. */
class MarkingReader extends FieldReader {
  readonly lengths: LengthField[] = []

  constructor(private readonly frame: Buffer) {
    super(frame, 'a sample', 'INVALID_REQUEST')
  }

  override nullableString(): string | null {
    this.mark('int16')
    return super.nullableString()
  }

  override nullableByteString(): Buffer | null {
    this.mark('int32')
    return super.nullableByteString()
  }

  override nullableArray<T>(minItemBytes: number, readItem: () => T): T[] | null {
    this.mark('int32')
    return super.nullableArray(minItemBytes, readItem)
  }

  override tags(read: (tag: number) => boolean): void {
    if (this.flexible) this.mark('int32')
    super.tags((tag) => {
      // tag and size, one byte each in what is made here, lie before the value
      for (const start of [this.at - 2, this.at - 1]) this.lengths.push({ kind: 'varint', start, end: start + 1 })
      return read(tag)
    })
  }

  private get at(): number {
    return this.frame.length - this.remaining
  }

  private mark(kind: 'int16' | 'int32'): void {
    const start = this.at
    if (!this.flexible) return void this.lengths.push({ kind, start, end: start + (kind === 'int16' ? 2 : 4) })
    let end = start
    while (this.frame[end++] >= 0x80);
    this.lengths.push({ kind: 'varint', start, end })
  }
}

/** Where the lengths of a sound request are, that of the client's name among them. */
export function lengthsOf(api: ApiWithRequest, version: number, frame: Buffer): LengthField[] {
  const reader = new MarkingReader(frame)
  reader.take(8)
  reader.nullableString()
  reader.flexible = version >= api.flexibleSince
  reader.skipTags()
  readMessage(api.request, version, reader)
  if (reader.remaining > 0) reader.fail(`${reader.remaining} bytes follow`)
  return reader.lengths
}

/** Reads the body of a request as a server does, which takes no notice of what follows; throws where it cannot be read. */
export function decodeRequest(api: ApiWithRequest, version: number, frame: Buffer): unknown {
  const reader = new FieldReader(frame, 'a request', 'INVALID_REQUEST')
  reader.take(8)
  reader.nullableString()
  reader.flexible = version >= api.flexibleSince
  reader.skipTags()
  return readMessage(api.request, version, reader)
}
