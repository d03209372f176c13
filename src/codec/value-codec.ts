import { Packr, RESET_BUFFER_MODE } from 'msgpackr'
import { VarveError } from '../errors.ts'
import { describeLoss, kindOf } from './lost-data.ts'

/**
 * Turns a record's value into bytes and back. `null` never reaches a codec: it is a tombstone, and has no bytes.
 */
export interface ValueCodec {
  /**
   * @returns bytes that hold until the codec is next used: the caller copies them at once
   * @throws TypeError for a value that the codec cannot hold
   */
  encode(value: unknown): Uint8Array
  /** @param bytes owned by the caller; the result may keep views on them */
  decode(bytes: Buffer): unknown
}

/** The names of the built-in codecs. */
export const valueCodecNames = ['msgpack', 'json', 'string', 'bytes'] as const

/** The name of a built-in codec. */
export type ValueCodecName = (typeof valueCodecNames)[number]

/**
 * Finds a codec by name.
 *
 * - `'msgpack'`: JSON's values and Date, bigint, undefined, Buffer, typed arrays, Set, RegExp and Error. A Map (whose keys
 *   must be strings or numbers) and the fields of an instance of a class come back as plain objects, a member that is a
 *   function as undefined, -0 as 0, a key `__proto__` as `__proto_`, and a lone surrogate in a string as U+FFFD. An object
 *   with a `toJSON()` is stored as what that gives. What would be lost in silence is refused: boxed numbers and the like,
 *   promises, and instances of a class without any field of their own.
 * - `'json'`: what `JSON.stringify` makes of the value, as UTF-8
 * - `'string'`: strings, as UTF-8; a lone surrogate becomes U+FFFD
 * - `'bytes'`: a Uint8Array as it is; reading gives a Buffer
 *
 * Decoding bytes that the codec did not write throws VarveError INVALID_RECORD.
 *
 * @throws TypeError for any other name
 */
export function resolveValueCodec(name: ValueCodecName): ValueCodec {
  if (Object.hasOwn(codecs, name)) return codecs[name]
  throw new TypeError(`valueCodec must be one of '${valueCodecNames.join("', '")}', not '${String(name)}'`)
}

// useRecords off: record structures would tie a value to those before it, and each value must stand alone.
// variableMapSize: 2 bytes less per object for 2 % more time, and objects of more than 65,535 keys.
// moreTypes: without it a Float64Array is written as its length in bytes with mostly stray memory in them.
const PACKR_OPTIONS = { useRecords: false, variableMapSize: true, moreTypes: true }

/** Whether the value that is being encoded holds anything but plain data: then some of it may be lost. */
let hasOtherThanPlain = false

/**
 * The encoder asks for these two options when it meets a Map, and an object of a class that is not its own to encode:
 * so it costs plain data nothing to learn that there are such.
 */
class WatchfulPackr extends Packr {
  get mapAsEmptyObject(): boolean {
    hasOtherThanPlain = true
    return false
  }

  get useToJSON(): boolean {
    hasOtherThanPlain = true
    return true
  }
}

const packr = new WatchfulPackr(PACKR_OPTIONS)

const msgpack: ValueCodec = {
  encode(value) {
    if (value === undefined || typeof value === 'function') throw unfit('msgpack', value)
    // a toJSON() or a getter may encode a value of its own on the way
    const ofOuterValue = hasOtherThanPlain
    hasOtherThanPlain = false
    let loss: string | null
    try {
      // resetting the buffer lets the next value take the place of this one, which the caller has copied by then
      const encoded = packr.pack(value, RESET_BUFFER_MODE)
      if (!hasOtherThanPlain) return encoded
      loss = describeLoss(value)
      if (loss === null) return encoded
    } catch (cause) {
      throw unfit('msgpack', value, cause)
    } finally {
      hasOtherThanPlain = ofOuterValue
    }
    throw new TypeError(`the msgpack value codec cannot hold ${loss}`)
  },
  decode(bytes) {
    try {
      return packr.unpack(bytes) as unknown
    } catch (cause) {
      throw undecodable('msgpack', bytes, cause)
    }
  },
}

const json: ValueCodec = {
  encode(value) {
    let text: string | undefined
    try {
      text = JSON.stringify(value) as string | undefined
    } catch (cause) {
      throw unfit('json', value, cause)
    }
    if (text === undefined) throw unfit('json', value)
    return Buffer.from(text)
  },
  decode(bytes) {
    try {
      return JSON.parse(bytes.toString()) as unknown
    } catch (cause) {
      throw undecodable('json', bytes, cause)
    }
  },
}

const string: ValueCodec = {
  encode(value) {
    if (typeof value !== 'string') throw unfit('string', value)
    return Buffer.from(value)
  },
  decode: (bytes) => bytes.toString(),
}

const bytes: ValueCodec = {
  encode(value) {
    if (!(value instanceof Uint8Array)) throw unfit('bytes', value)
    return value
  },
  decode: (stored) => stored,
}

const codecs: Record<ValueCodecName, ValueCodec> = { msgpack, json, string, bytes }

const TAKES: Record<ValueCodecName, string> = {
  msgpack: 'data without cycles, functions and symbols',
  json: 'what JSON.stringify takes',
  string: 'a string',
  bytes: 'a Uint8Array',
}

function unfit(codec: ValueCodecName, value: unknown, cause?: unknown): TypeError {
  const reason = cause instanceof Error ? `: ${cause.message}` : ''
  return new TypeError(`the ${codec} value codec takes ${TAKES[codec]}, not ${kindOf(value)}${reason}`, { cause })
}

function undecodable(codec: ValueCodecName, stored: Buffer, cause: unknown): VarveError {
  const reason = (cause as Error).message
  const message = `the ${codec} value codec cannot read these ${stored.length} bytes: ${reason}`
  return new VarveError('INVALID_RECORD', message, { cause })
}
