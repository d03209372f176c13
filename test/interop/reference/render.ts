import type { Difference, Explanation } from './differences.ts'

const HEAD = `# What Varve answers differently from Apache Kafka

The same requests, good and bad ones, are sent to Apache Kafka 4.3.1 and to Varve by \`test/interop/reference.test.ts\`. Texts of
errors, times and ids left aside, the answers are the same but for what stands here. The test writes this page where the
environment says \`UPDATE_DIFFERENCES=1\`, and fails where it is not what it finds.
`

/** The page that tells of differences: one section for each explanation. */
export function render(explained: ReadonlyMap<Explanation, readonly Difference[]>): string {
  const sections = [...explained].map(([{ why }, differences]) => {
    const rows = differences.map(({ where, kafka, varve }) => `| ${cell(where)} | ${cell(kafka)} | ${cell(varve)} |\n`)
    return `\n${why}\n\n| Asked | Kafka | Varve |\n| --- | --- | --- |\n${rows.join('')}`
  })
  return HEAD + sections.sort().join('')
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll(/([_*<>])/g, '\\$1')
}
