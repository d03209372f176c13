import { FieldWriter, type FieldReader } from '../../codec/fields.ts'
import type { Pace } from '../pace.ts'
import type { Field, Shape, Type, Values } from './schema.ts'

type ArrayType = Extract<Type, { kind: 'array' }>

/** A UUID as it stands on the wire. */
const UUID_BYTES = 16

/**
 * Reads a message of one version.
 *
 * Total: whatever the bytes are, it gives values or throws VarveError INVALID_RECORD; no length is believed before so many
 * bytes are there. What it gives refers to the bytes.
 */
export function readMessage<S extends Shape>(shape: S, version: number, reader: FieldReader): Values<S> {
  return readStruct(shape, version, reader) as Values<S>
}

/** Writes a message of one version. Values that the version has no field for are left out. */
export function writeMessage<S extends Shape>(shape: S, version: number, values: Values<S>, writer: FieldWriter): void {
  writeStruct(shape, version, values, writer)
}

/**
 * As {@link readMessage}, of a message that may be long: rests now and then.
 */
export async function readMessageSlowly<S extends Shape>(
  shape: S,
  version: number,
  reader: FieldReader,
  pace: Pace,
): Promise<Values<S>> {
  return (await readStructSlowly(shape, version, reader, pace)) as Values<S>
}

/** As {@link writeMessage}, of a message that may be long: rests now and then. */
export async function writeMessageSlowly<S extends Shape>(
  shape: S,
  version: number,
  values: Values<S>,
  writer: FieldWriter,
  pace: Pace,
): Promise<void> {
  return writeStructSlowly(shape, version, values, writer, pace)
}

/** Whether there are more than `most` items in all the lists of a message. */
export function isLonger(values: unknown, most: number): boolean {
  return countItems(values, most) > most
}

const isIn = ({ since = 0, until = Infinity }: Field<unknown>, version: number): boolean =>
  version >= since && version <= until

function readStruct(shape: Shape, version: number, reader: FieldReader): Record<string, unknown> {
  const values: Record<string, unknown> = {}
  for (const name in shape) {
    const field = shape[name]
    const isHere = field.tag === undefined && isIn(field, version)
    values[name] = isHere ? readValue(field.type, version, reader) : field.default
  }
  readTags(shape, version, reader, values)
  return values
}

async function readStructSlowly(
  shape: Shape,
  version: number,
  reader: FieldReader,
  pace: Pace,
): Promise<Record<string, unknown>> {
  const values: Record<string, unknown> = {}
  for (const name in shape) {
    const { type, tag, default: byDefault } = shape[name]
    if (tag !== undefined || !isIn(shape[name], version)) values[name] = byDefault
    else if (type.kind === 'array') values[name] = await readArraySlowly(type, version, reader, pace)
    else values[name] = readValue(type, version, reader)
  }
  readTags(shape, version, reader, values)
  return values
}

async function readArraySlowly(type: ArrayType, version: number, reader: FieldReader, pace: Pace): Promise<unknown> {
  const { of, nullable } = type
  const count = reader.count(leastBytes(of, version, reader.flexible))
  if (count === null) return nullable ? null : reader.fail('a list is null that must not be')
  const items: unknown[] = []
  for (let i = 0; i < count; i++) {
    items.push(hasLists(of) ? await readStructSlowly(of.fields, version, reader, pace) : readValue(of, version, reader))
    if (pace.isOver) await pace.rest()
  }
  return items
}

type StructType = Extract<Type, { kind: 'struct' }>

/** Whether it is a structure, and never null, with lists of its own. */
function hasLists(type: Type): type is StructType {
  if (type.kind !== 'struct' || type.nullable) return false
  for (const name in type.fields) if (type.fields[name].type.kind === 'array') return true
  return false
}

function readTags(shape: Shape, version: number, reader: FieldReader, values: Record<string, unknown>): void {
  reader.tags((tag) => {
    for (const name in shape) {
      const field = shape[name]
      if (field.tag !== tag || !isIn(field, version)) continue
      values[name] = readValue(field.type, version, reader)
      return true
    }
    return false
  })
}

function readValue(type: Type, version: number, reader: FieldReader): unknown {
  switch (type.kind) {
    case 'boolean':
      return reader.boolean()
    case 'int8':
      return reader.int8()
    case 'int16':
      return reader.int16()
    case 'int32':
      return reader.int32()
    case 'int64':
      return reader.int64()
    case 'uuid':
      return reader.take(UUID_BYTES).toString('base64url')
    case 'string':
      return type.nullable ? reader.nullableString() : reader.string()
    case 'bytes':
      return type.nullable ? reader.nullableByteString() : reader.byteString()
    case 'records': {
      const bytes = reader.nullableByteString()
      return bytes === null ? null : [bytes]
    }
    case 'array': {
      const read = () => readValue(type.of, version, reader)
      const least = leastBytes(type.of, version, reader.flexible)
      return type.nullable ? reader.nullableArray(least, read) : reader.array(least, read)
    }
    case 'struct':
      // in every version alike
      if (type.nullable && reader.int8() < 0) return null
      return readStruct(type.fields, version, reader)
  }
}

/** The least that a value takes: so many more of them cannot be there. */
function leastBytes(type: Type, version: number, flexible: boolean): number {
  switch (type.kind) {
    case 'boolean':
    case 'int8':
      return 1
    case 'int16':
      return 2
    case 'int32':
      return 4
    case 'int64':
      return 8
    case 'uuid':
      return UUID_BYTES
    case 'string':
      return flexible ? 1 : 2
    case 'bytes':
    case 'records':
    case 'array':
      return flexible ? 1 : 4
    case 'struct': {
      if (type.nullable) return 1
      let least = flexible ? 1 : 0
      for (const name in type.fields) {
        const field = type.fields[name]
        if (field.tag === undefined && isIn(field, version)) least += leastBytes(field.type, version, flexible)
      }
      return least
    }
  }
}

function writeStruct(
  shape: Shape,
  version: number,
  values: Readonly<Record<string, unknown>>,
  writer: FieldWriter,
): void {
  for (const name in shape) {
    const field = shape[name]
    if (field.tag === undefined && isIn(field, version)) writeValue(field.type, version, values[name], writer)
  }
  if (writer.flexible) writeTags(shape, version, values, writer)
}

async function writeStructSlowly(
  shape: Shape,
  version: number,
  values: Readonly<Record<string, unknown>>,
  writer: FieldWriter,
  pace: Pace,
): Promise<void> {
  for (const name in shape) {
    const field = shape[name]
    if (field.tag !== undefined || !isIn(field, version)) continue
    const value = values[name]
    if (field.type.kind !== 'array' || value === null) writeValue(field.type, version, value, writer)
    else await writeArraySlowly(field.type, version, value as unknown[], writer, pace)
  }
  if (writer.flexible) writeTags(shape, version, values, writer)
}

async function writeArraySlowly(
  { of }: ArrayType,
  version: number,
  items: readonly unknown[],
  writer: FieldWriter,
  pace: Pace,
): Promise<void> {
  writer.size(items.length)
  for (const item of items) {
    if (hasLists(of)) await writeStructSlowly(of.fields, version, item as Record<string, unknown>, writer, pace)
    else writeValue(of, version, item, writer)
    if (pace.isOver) await pace.rest()
  }
}

function writeTags(
  shape: Shape,
  version: number,
  values: Readonly<Record<string, unknown>>,
  writer: FieldWriter,
): void {
  const tagged: [tag: number, field: Field<unknown>, value: unknown][] = []
  for (const name in shape) {
    const field = shape[name]
    if (field.tag === undefined || !isIn(field, version)) continue
    if (!isDefault(field, values[name])) tagged.push([field.tag, field, values[name]])
  }
  tagged.sort(([a], [b]) => a - b)
  writer.unsignedVarint(tagged.length)
  for (const [tag, { type }, value] of tagged) {
    const inner = new FieldWriter()
    inner.flexible = true
    writeValue(type, version, value, inner)
    const content = inner.finish()
    writer.unsignedVarint(tag).unsignedVarint(content.length).append(content)
  }
}

/** Items of all the lists in a value, or some number above `most`. */
function countItems(value: unknown, most: number): number {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return 0
  let count = 0
  if (Array.isArray(value)) {
    count = value.length
    for (let i = 0; i < value.length && count <= most; i++) count += countItems(value[i], most - count)
    return count
  }
  for (const name in value) {
    count += countItems((value as Record<string, unknown>)[name], most - count)
    if (count > most) return count
  }
  return count
}

function isDefault({ default: byDefault }: Field<unknown>, value: unknown): boolean {
  if (Array.isArray(value) && Array.isArray(byDefault)) return value.length === byDefault.length
  return value === byDefault
}

function writeValue(type: Type, version: number, value: unknown, writer: FieldWriter): void {
  switch (type.kind) {
    case 'boolean':
      return void writer.boolean(value as boolean)
    case 'int8':
      return void writer.int8(value as number)
    case 'int16':
      return void writer.int16(value as number)
    case 'int32':
      return void writer.int32(value as number)
    case 'int64':
      return void writer.int64(value as number)
    case 'uuid':
      return void writer.append(Buffer.from(value as string, 'base64url'))
    case 'string':
      return void writer.nullableString(value as string | null)
    case 'bytes':
      return void writer.nullableByteString(value as Uint8Array | null)
    case 'records': {
      const pieces = value as Uint8Array[] | null
      writer.size(pieces === null ? -1 : pieces.reduce((sum, { length }) => sum + length, 0))
      for (const piece of pieces ?? []) writer.append(piece)
      return
    }
    case 'array': {
      const items = value as unknown[] | null
      writer.size(items?.length ?? -1)
      for (const item of items ?? []) writeValue(type.of, version, item, writer)
      return
    }
    case 'struct':
      if (type.nullable) writer.int8(value === null ? -1 : 1)
      if (value !== null) writeStruct(type.fields, version, value as Record<string, unknown>, writer)
  }
}
