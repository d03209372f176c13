import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { BatchEncoder } from '../../src/codec/batch-encoder.ts'
import { stampBatch } from '../../src/codec/record-batch.ts'

test('the worked example of docs/format.md is what the encoder writes, byte for byte', () => {
  const page = readFileSync(new URL('../../docs/format.md', import.meta.url), 'utf8')
  const documented = /```hex\n([\s\S]*?)```/.exec(page)![1].replaceAll(/\s/g, '')
  const options = { batchBytes: 16_384, compressionType: 'none', timestampType: 'CreateTime', now: () => 0 } as const
  const encoder = new BatchEncoder(options)
  encoder.append(Buffer.from('a'), Buffer.from('b'), [], 1000)
  const { bytes } = encoder.finish()
  stampBatch(bytes, 0, 0, 0)
  expect(bytes.toString('hex')).toBe(documented)
})
