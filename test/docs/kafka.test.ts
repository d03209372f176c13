/** docs/kafka.md is true: its programs run as they are printed, and its tables are what the server does. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { apis } from '../../src/kafka/apis.ts'
import { kafkaLimits } from '../../src/kafka/limits.ts'
import { runProgram } from '../helpers/run-program.ts'

const PAGE = readFileSync(new URL('../../docs/kafka.md', import.meta.url), 'utf8')
const [serving, starting, ...others] = [...PAGE.matchAll(/```js\n([\s\S]*?)```/g)].map(([, text]) => text)

/** The table between two marks. */
function table(name: string): string[] {
  const [, text] = new RegExp(`<!-- ${name} -->\n\n([^]*?)\n\n<!-- /${name} -->`).exec(PAGE) ?? []
  return (text ?? '').split('\n')
}

test('what a client of the first program produces, the log reads', async () => {
  expect(await runProgram(serving)).toBe('cust-881 { total: 89.99 }\n')
})

test('the second program has a Kafka, and ends', async () => {
  expect(await runProgram(starting)).toMatch(/^\[ '127\.0\.0\.1:\d+' \]\n$/)
  expect(others).toEqual([])
})

test('the table of APIs names every one with its versions', () => {
  const rows = apis.map(({ name, key, versions, advertised }) => {
    const note = String(advertised) === String(versions) ? '' : ` (${advertised.join(' to ')} advertised)`
    return `| ${name} | ${key} | ${versions.join(' to ')}${note} |`
  })
  expect(table('apis')).toEqual(['| API | key | versions |', '| --- | --- | --- |', ...rows])
})

test('the table of limits names every one with its default', () => {
  const found = table('limits')
    .slice(2)
    .map((row) =>
      row
        .split('|')
        .slice(1, 3)
        .map((cell) => cell.trim()),
    )
  const expected = Object.entries(kafkaLimits).map(([name, value]) => [`\`${name}\``, describe(name, value)])
  expect(found).toEqual(expected)
})

function describe(name: string, value: number): string {
  if (name.endsWith('Bytes')) return `${value / 1024 / 1024} MiB`
  return name.endsWith('Ms') ? `${value / 1000} s` : value.toLocaleString('en')
}
