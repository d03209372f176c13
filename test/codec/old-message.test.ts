/** What a file of Kafka's formats 0 and 1 is told by. */
import { expect, test } from 'vitest'
import { isOldMessage } from '../../src/codec/old-message.ts'
import { oldMessage } from '../helpers/raw-batch.ts'

test.each([0, 1])('a whole message of format %i is one, also where more follows it', (magic) => {
  const message = oldMessage(magic, 'value')
  expect(isOldMessage(message)).toBe(true)
  expect(isOldMessage(Buffer.concat([message, Buffer.from('more')]))).toBe(true)
})

test.each<[what: string, change: (message: Buffer) => Buffer]>([
  ['one that is cut short', (message) => message.subarray(0, message.length - 1)],
  ['less than the smallest one has', (message) => message.subarray(0, 25)],
  ['nothing', () => Buffer.alloc(0)],
  ['one of a later format', (message) => Buffer.from(message.with(16, 2))],
  ['one with a flipped bit', (message) => Buffer.from(message.with(20, message[20] ^ 1))],
  ['one that claims to be smaller than any', (message) => Buffer.from(message.with(11, 13))],
  ['one that claims a negative size', (message) => Buffer.from(message.with(8, 0xff))],
])('%s is none', (_, change) => {
  expect(isOldMessage(change(oldMessage(1, 'value')))).toBe(false)
})
