import type { Command } from 'commander'
import { addReadOptions, runRead, type ReadRunOptions } from './read-run.ts'
import { FORMAT_HELP } from './record-format.ts'

const HELP = `
Reads from the earliest record, unless --from says otherwise, to the end that
the log has now; with --follow it goes on with what is appended later, until
Ctrl-C. Works beside a live writer. A time without a zone is UTC.

A terminal gets partition:offset, time, key, headers and value; a pipe gets
partition, offset, time, key and value, parted by tabs, one line a record. Bytes
that are not text stand as base64:..., and in --json as base64 with
"keyEncoding" or "valueEncoding": "base64" beside them.
${FORMAT_HELP}
Examples:
  varve read orders --max 10
  varve read orders --from 2026-01-31T12:00:00Z --order time --json
  varve read orders --partition 2 --from 1000 --format '%o %k %v\\n'
  varve read orders --from latest --follow
`

/** `varve read` */
export function registerRead(program: Command): void {
  addReadOptions(program.command('read <topic>').description('print the records of a topic'))
    .option('--follow', 'go on with what is appended later')
    .addHelpText('after', HELP)
    .action(read)
}

async function read(topic: string, options: ReadRunOptions): Promise<void> {
  await runRead(topic, options, false)
}
