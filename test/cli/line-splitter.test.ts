import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LineSplitter } from '../../src/cli/line-splitter.ts'

function split(...chunks: (string | Buffer)[]): string[] {
  const splitter = new LineSplitter()
  const lines = chunks.flatMap((chunk) => splitter.push(Buffer.from(chunk)).map(String))
  return [...lines, ...splitter.end().map(String)]
}

test('lines end at \\n and \\r\\n and nowhere else', () => {
  expect(split('a\nb\r\nc\rd\u2028e\u0085f\n')).toEqual(['a', 'b', 'c\rd\u2028e\u0085f'])
})

test('what follows the last \\n is a line unless it is empty', () => {
  expect(split('a\nb')).toEqual(['a', 'b'])
  expect(split('a\nb\n')).toEqual(['a', 'b'])
  expect(split('')).toEqual([])
  expect(split('\n\n')).toEqual(['', ''])
})

test('a byte order mark is left out in front of the first line only', () => {
  expect(split('\uFEFFa\n\uFEFFb')).toEqual(['a', '\uFEFFb'])
  expect(split(Buffer.from([0xef]), Buffer.from([0xbb]), Buffer.from([0xbf, 0x61]))).toEqual(['a'])
})

test('lines are the same however the bytes come', () => {
  const text = fc
    .array(fc.constantFrom('a', 'ü', '€', '\n', '\r\n', '\r', ''), { maxLength: 40 })
    .map((parts) => parts.join(''))
  fc.assert(
    fc.property(text, fc.array(fc.nat(12), { maxLength: 40 }), (whole, sizes) => {
      const bytes = Buffer.from(whole)
      const chunks: Buffer[] = []
      let at = 0
      for (const size of sizes) {
        chunks.push(bytes.subarray(at, at + size))
        at = Math.min(at + size, bytes.length)
      }
      const expected =
        whole === ''
          ? []
          : whole
              .replace(/\n$/, '')
              .split('\n')
              .map((line) => line.replace(/\r$/, ''))
      expect(split(...chunks, bytes.subarray(at))).toEqual(expected)
    }),
  )
})
