/** Answers as single facts that can be compared: without what differs from one run to the next. */
import { ZERO_UUID } from '../../../src/kafka/protocol/schema.ts'

export type Facts = Map<string, string>

/** Texts for people, times, and what belongs to the machine. */
const LEFT_OUT = new Set([
  'throttleTimeMs',
  'errorMessage',
  'batchIndexErrorMessage',
  'documentation',
  'host',
  'port',
  'clusterId',
  'logDir',
  'totalBytes',
  'usableBytes',
  'nodeEndpoints',
  'partitionSize',
])
/** By what the items of a list are told apart, whatever their order is. */
const KEYS = [
  'name',
  'memberId',
  'topic',
  'groupId',
  'key',
  'apiKey',
  'partitionIndex',
  'partition',
  'index',
  'resourceName',
]
/** An id, in each form that there is. */
export const UUID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}$|[A-Za-z0-9_-]{22}$/
const HOUR_MS = 3_600_000

/** Stands in for what each server names otherwise. */
export class Names {
  private readonly given = new Map<string, string>([[ZERO_UUID, 'no id']])
  private readonly counts = new Map<string, number>()

  give(text: string, name: string): void {
    this.given.set(text, name)
  }

  known(text: string): string | undefined {
    return this.given.get(text)
  }

  /** The first one of a kind is its number 1. */
  of(kind: string, text: string): string {
    let name = this.given.get(text)
    if (name === undefined) {
      const number = (this.counts.get(kind) ?? 0) + 1
      this.counts.set(kind, number)
      name = `${kind} ${number}`
      this.given.set(text, name)
    }
    return name
  }
}

/** What an answer says, by the paths of its fields. */
export function* factsOf(path: string, value: unknown, names: Names, field = ''): Generator<[string, string]> {
  if (LEFT_OUT.has(field)) return
  if (value instanceof Uint8Array) yield [path, Buffer.from(value).toString('hex')]
  else if (field === 'records') yield [path, batchesOf(value as Uint8Array[] | null)]
  else if (Array.isArray(value)) yield* factsOfList(path, value, names, field)
  else if (typeof value === 'object' && value !== null) {
    for (const [name, inner] of Object.entries(value)) yield* factsOf(`${path} / ${name}`, inner, names, name)
  } else yield [path, plain(value, names, field)]
}

function* factsOfList(path: string, list: unknown[], names: Names, field: string): Generator<[string, string]> {
  const [first] = list
  if (typeof first !== 'object' || first === null) {
    yield [path, `[${list.map((item) => plain(item, names, field)).join(', ')}]`]
    return
  }
  const items = list as Record<string, unknown>[]
  const key = KEYS.find((name) => name in first && new Set(items.map((item) => item[name])).size === items.length)
  for (const [i, item] of items.entries()) {
    const told = key === undefined ? i : key === 'memberId' ? plain(item[key], names, key) : item[key]
    const rest = { ...item }
    if (key !== undefined) delete rest[key]
    yield* factsOf(`${path}[${String(told)}]`, rest, names)
  }
}

function plain(value: unknown, names: Names, field: string): string {
  if (typeof value === 'number') {
    if (Math.abs(value - Date.now()) < HOUR_MS) return 'now'
    // the offset of its metadata log
    if (field === 'finalizedFeaturesEpoch' && value >= 0) return 'an epoch'
    if (field === 'sessionId' && value !== 0) return 'a session'
    if (field === 'producerId' && value >= 0) return 'a producer'
    return String(value)
  }
  if (typeof value !== 'string') return String(value)
  if (field === 'topicId') return names.known(value) ?? 'an id'
  const id = UUID.exec(value)?.[0]
  return JSON.stringify(id === undefined ? value : value.replace(id, `<${names.of('id', id)}>`))
}

/** Place, count, producer and size of each batch. */
function batchesOf(pieces: Uint8Array[] | null): string {
  if (pieces === null) return 'null'
  const bytes = Buffer.concat(pieces)
  const found: string[] = []
  for (let at = 0; at < bytes.length; at += 12 + bytes.readInt32BE(at + 8)) {
    if (bytes.length - at < 61 || bytes.length - at < 12 + bytes.readInt32BE(at + 8)) {
      found.push(`a part of a batch of ${bytes.length - at} bytes`)
      break
    }
    const [offset, count, epoch] = [bytes.readBigInt64BE(at), bytes.readInt32BE(at + 57), bytes.readInt32BE(at + 12)]
    found.push(`${count} at ${offset} of epoch ${epoch}: ${bytes.readUInt32BE(at + 17).toString(16)}`)
  }
  return `[${found.join(', ')}]`
}
