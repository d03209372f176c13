import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { LATEST, type BenchDocument } from '../../bench/document.ts'
import { numbers, rewrite } from '../../bench/readme-table.ts'
import { sampleDocument } from './sample-document.ts'

const README = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')

test('the README says what bench/results/latest.json says; otherwise run `npm run bench:readme`', () => {
  const latest = JSON.parse(readFileSync(LATEST, 'utf8')) as BenchDocument
  expect(rewrite(README, latest)).toBe(README)
})

test('a row gives rate and ratio for each size', () => {
  const rows = numbers(sampleDocument()).split('\n')
  expect(rows[0]).toContain('| 100 B | 1 KiB |')
  expect(rows.find((row) => row.includes('256 appends in flight'))).toContain('| 1.23 M · 0.62 x | 121 k · 0.62 x |')
})

test('what does not fit the table follows it', () => {
  const text = numbers(sampleDocument())
  expect(text).toContain('Opening 1,000 partitions takes 152 ms after a close and 352 ms after a kill')
  expect(text).toContain('peaks at 88 MiB')
  expect(text).toContain('Medians of 5 interleaved runs, 2026-01-02: 2 x A Processor, ext4, Node 20.20.2.')
})

test('consuming and committing are told where they were measured', () => {
  const document = sampleDocument()
  const text = numbers(document)
  expect(text).toContain(
    'A consumer gets 3.00 M records/s (0.60 x) through `run`, 4.00 M records/s (0.80 x) by `for await` and ' +
      '8.00 M records/s (1.60 x) in batches, of 100 B, beside reading without a group.',
  )
  expect(text).toContain('Durable commits: 9.00 k a second (0.90 x) one at a time, 2.30 M a second (0.90 x) with 256')
  const older = document.results.filter(({ workload }) => workload !== 'consume' && workload !== 'commits')
  expect(numbers({ ...document, results: older })).not.toContain('consumer')
})

test('rewriting replaces what is between the marks, and nothing else', () => {
  const once = rewrite(README, sampleDocument())
  expect(once).not.toBe(README)
  expect(rewrite(once, JSON.parse(readFileSync(LATEST, 'utf8')) as BenchDocument)).toBe(README)
  expect(() => rewrite('no marks', sampleDocument())).toThrow('README.md lacks the lines')
})

test('the README is not written from a part of a run', () => {
  const document = sampleDocument()
  const part = { ...document, results: document.results.filter(({ workload }) => workload !== 'fill-each') }
  expect(() => numbers(part)).toThrow('no result of fill-each')
})
