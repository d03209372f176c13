import { FieldWriter, type FieldReader } from '../../codec/fields.ts'
import type { Field, Shape, Type, Values } from './schema.ts'

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

const isIn = ({ since = 0, until = Infinity }: Field<unknown>, version: number): boolean =>
  version >= since && version <= until

function readStruct(shape: Shape, version: number, reader: FieldReader): Record<string, unknown> {
  const values: Record<string, unknown> = {}
  for (const name in shape) {
    const field = shape[name]
    const isHere = field.tag === undefined && isIn(field, version)
    values[name] = isHere ? readValue(field.type, version, reader) : field.default
  }
  reader.tags((tag) => {
    for (const name in shape) {
      const field = shape[name]
      if (field.tag !== tag || !isIn(field, version)) continue
      values[name] = readValue(field.type, version, reader)
      return true
    }
    return false
  })
  return values
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
  const tagged: [tag: number, field: Field<unknown>, value: unknown][] = []
  for (const name in shape) {
    const field = shape[name]
    if (!isIn(field, version)) continue
    const value = values[name]
    if (field.tag === undefined) writeValue(field.type, version, value, writer)
    else if (!isDefault(field, value)) tagged.push([field.tag, field, value])
  }
  if (!writer.flexible) return
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
