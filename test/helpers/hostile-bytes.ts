/** What can be done to the bytes of a sound request. */
import type { LengthField } from './kafka-samples.ts'
import type { SeededRandom } from './seeded-random.ts'

const INT16S = [-1, -2, 0, 0x7fff, -0x8000]
const INT32S = [-1, -2, 0, 0x7fff, 0x7fffffff, -0x80000000]
/** Unsigned varints as they may not be: 2^31 - 1 and 2^32 - 1, over-long ones of 5, 6 and 10 bytes, one without an end. */
const VARINTS = [
  '00',
  '01',
  '7f',
  'ff7f',
  '808002',
  'ffffffff07',
  '8080808008',
  'ffffffff0f',
  'ffffffffff',
  '8080808000',
  '808080808000',
  'ffffffffffffffffff01',
].map((hex) => Buffer.from(hex, 'hex'))

/** The request cut off before each of its bytes, as far down as a request can be. */
export function* truncations(frame: Buffer): Generator<Buffer> {
  for (let length = 10; length < frame.length; length++) yield frame.subarray(0, length)
}

/** The request with a length replaced by each value that a peer might try. */
export function* hostileLengths(frame: Buffer, { kind, start, end }: LengthField): Generator<Buffer> {
  const put = (bytes: Buffer) => Buffer.concat([frame.subarray(0, start), bytes, frame.subarray(end)])
  if (kind === 'varint') {
    for (const bytes of VARINTS) yield put(bytes)
    if (frame[start] < 0x7f) yield put(Buffer.from([frame[start] + 1]))
    if (frame[start] > 0) yield put(Buffer.from([frame[start] - 1]))
    return
  }
  const size = kind === 'int16' ? 2 : 4
  const before = frame.readIntBE(start, size)
  for (const value of new Set([...(kind === 'int16' ? INT16S : INT32S), before + 1, before - 1])) {
    const bytes = Buffer.alloc(size)
    bytes.writeIntBE(value, 0, size)
    yield put(bytes)
  }
}

/** A request as no program would send it: bits flipped, bytes replaced, moved, doubled or taken out, or two requests spliced. */
export function mutate(frame: Buffer, other: Buffer, random: SeededRandom): Buffer {
  let bytes: Buffer = Buffer.from(frame)
  for (let count = random.pick([1, 1, 1, 1, 2, 4]); count > 0; count--) bytes = mutateOnce(bytes, other, random)
  return bytes
}

function mutateOnce(bytes: Buffer, other: Buffer, random: SeededRandom): Buffer {
  if (bytes.length < 2) return Buffer.from(random.bytes(12))
  const at = random.below(bytes.length)
  const length = random.between(1, Math.min(8, bytes.length - at))
  switch (random.below(7)) {
    case 0:
    case 1:
      bytes[at] ^= 1 << random.below(8)
      return bytes
    case 2:
      bytes.set(random.bytes(length), at)
      return bytes
    case 3: {
      // two stretches change places
      const to = random.below(bytes.length - length + 1)
      const stretch = Buffer.from(bytes.subarray(at, at + length))
      bytes.copyWithin(at, to, to + length)
      bytes.set(stretch, to)
      return bytes
    }
    case 4:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)])
    case 5:
      return Buffer.concat([bytes.subarray(0, at + length), bytes.subarray(at)])
    default:
      return Buffer.concat([bytes.subarray(0, at), other.subarray(random.below(other.length))])
  }
}
