/**
 * What a message of Kafka's protocol is made of, as data: the fields in the order in which they follow one another, each
 * with the versions that have it. message.ts reads and writes by it.
 *
 * Source: the message definitions that come with Apache Kafka 4.3 (clients/src/main/resources/common/message).
 */

/** The versions that have a field, and how it stands in them. */
export interface FieldOptions<T> {
  /** First version that has it. Default 0. */
  since?: number
  /** Last version that has it. Default: all later ones. */
  until?: number
  /** It stands among the tagged fields, under this number: only in flexible versions. */
  tag?: number
  /** Its value where the version has none, and of a tagged one that is not sent. Default: 0, empty, or null if it may be null. */
  default?: T
}

/** One field; `T` is what it is in a program. */
export interface Field<T> extends FieldOptions<T> {
  type: Type
  default: T
}

/** What a field holds. */
export type Type =
  | { kind: 'boolean' | 'int8' | 'int16' | 'int32' | 'int64' | 'uuid' }
  | { kind: 'string' | 'bytes' | 'records'; nullable: boolean }
  | { kind: 'array'; of: Type; nullable: boolean }
  | { kind: 'struct'; fields: Shape; nullable: boolean }

/** Fields by name, in their order. */
export type Shape = Readonly<Record<string, Field<unknown>>>

/** What a message of this shape is in a program. */
export type Values<S extends Shape> = { [K in keyof S]: S[K] extends Field<infer T> ? T : never }

/** A topic id of 22 characters, base64url without padding, that stands for none. */
export const ZERO_UUID = 'AAAAAAAAAAAAAAAAAAAAAA'

function field<T>(type: Type, byDefault: T, options: FieldOptions<T> = {}): Field<T> {
  return { type, default: byDefault, ...options }
}

/** A one that is either 0 or not. */
export const boolean = (options?: FieldOptions<boolean>): Field<boolean> => field({ kind: 'boolean' }, false, options)
export const int8 = (options?: FieldOptions<number>): Field<number> => field({ kind: 'int8' }, 0, options)
export const int16 = (options?: FieldOptions<number>): Field<number> => field({ kind: 'int16' }, 0, options)
export const int32 = (options?: FieldOptions<number>): Field<number> => field({ kind: 'int32' }, 0, options)
/** A safe integer. */
export const int64 = (options?: FieldOptions<number>): Field<number> => field({ kind: 'int64' }, 0, options)
/** 22 characters, base64url without padding. */
export const uuid = (options?: FieldOptions<string>): Field<string> => field({ kind: 'uuid' }, ZERO_UUID, options)
export const string = (options?: FieldOptions<string>): Field<string> =>
  field({ kind: 'string', nullable: false }, '', options)
export const nullableString = (options?: FieldOptions<string | null>): Field<string | null> =>
  field({ kind: 'string', nullable: true }, null, options)
export const bytes = (options?: FieldOptions<Uint8Array>): Field<Uint8Array> =>
  field({ kind: 'bytes', nullable: false }, new Uint8Array(0), options)
/** Whole record batches, in pieces that follow one another; in one piece when they were read. */
export const records = (options?: FieldOptions<Uint8Array[] | null>): Field<Uint8Array[] | null> =>
  field({ kind: 'records', nullable: true }, null, options)

export function struct<S extends Shape>(fields: S, options?: FieldOptions<Values<S>>): Field<Values<S>> {
  const byDefault = Object.fromEntries(Object.entries(fields).map(([name, one]) => [name, one.default]))
  return field({ kind: 'struct', fields, nullable: false }, byDefault as Values<S>, options)
}

export function nullableStruct<S extends Shape>(
  fields: S,
  options?: FieldOptions<Values<S> | null>,
): Field<Values<S> | null> {
  return field<Values<S> | null>({ kind: 'struct', fields, nullable: true }, null, options)
}

/** A structure among the tagged fields that is sent only where there is one. */
export function optionalStruct<S extends Shape>(
  fields: S,
  options: FieldOptions<Values<S> | null> & { tag: number },
): Field<Values<S> | null> {
  return field<Values<S> | null>({ kind: 'struct', fields, nullable: false }, null, options)
}

export function array<T>(of: Field<T>, options?: FieldOptions<T[]>): Field<T[]> {
  return field<T[]>({ kind: 'array', of: of.type, nullable: false }, [], options)
}

export function nullableArray<T>(of: Field<T>, options?: FieldOptions<T[] | null>): Field<T[] | null> {
  return field<T[] | null>({ kind: 'array', of: of.type, nullable: true }, null, options)
}

/** An array of structures, which most arrays are. */
export function list<S extends Shape>(fields: S, options?: FieldOptions<Values<S>[]>): Field<Values<S>[]> {
  return array(struct(fields), options)
}
