import type { Command } from 'commander'
import { output, say } from './output.ts'
import { addReadOptions, runRead, type ReadRunOptions } from './read-run.ts'
import { FORMAT_HELP } from './record-format.ts'
import { formatRate } from './units.ts'

const HELP = `
Reads from the earliest record to the end that the log has now, prints records
as \`varve read\` does, and says how fast that was. Where the records go into a
pipe or a file, or nowhere, the terminal shows a progress bar.
${FORMAT_HELP}
Examples:
  varve replay orders --json > orders.ndjson
  varve replay orders --order time | ./rebuild-projection
  varve replay orders --quiet
`

/** `varve replay` */
export function registerReplay(program: Command): void {
  addReadOptions(program.command('replay <topic>').description('print all records of a topic, with progress and rate'))
    .option('-q, --quiet', 'read everything, checksums and all, and print only how fast that was')
    .addHelpText('after', HELP)
    .action(replay)
}

async function replay(topic: string, options: ReadRunOptions): Promise<void> {
  const summary = await runRead(topic, options, options.quiet === true || !output.isTerminal)
  const { records, bytes, seconds } = summary
  if (options.quiet && options.json) {
    const recordsPerSecond = Math.round(records / Math.max(seconds, 0.001))
    return void output.json({ ...summary, seconds: Math.round(seconds * 1000) / 1000, recordsPerSecond })
  }
  say(`replayed '${topic}': ${formatRate(records, bytes, seconds)}`)
}
