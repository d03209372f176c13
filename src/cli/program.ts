import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { registerAppend } from './append.ts'
import { registerBackup } from './backup.ts'
import { registerBench } from './bench.ts'
import { registerDump } from './dump.ts'
import { registerGroupDelete } from './group-delete.ts'
import { registerGroupDescribe } from './group-describe.ts'
import { registerGroupList } from './group-list.ts'
import { registerGroupReset } from './group-reset.ts'
import { registerRead } from './read.ts'
import { registerRepair } from './repair.ts'
import { registerReplay } from './replay.ts'
import { registerServe } from './serve.ts'
import { registerTopicAdopt } from './topic-adopt.ts'
import { registerTopicAlter } from './topic-alter.ts'
import { registerTopicCreate } from './topic-create.ts'
import { registerTopicDelete } from './topic-delete.ts'
import { registerTopicDescribe } from './topic-describe.ts'
import { registerTopicList } from './topic-list.ts'
import { registerVerify } from './verify.ts'

const HELP = `
The log's directory is -d, else VARVE_DIRECTORY from the environment, else
./events. With --json a command prints JSON on standard output, and its failure,
too: {"error":{"code","message","details"}}.

Exit codes:
  0    done
  1    failed, or damage found
  2    the command line is wrong, and nothing was done
  3    no such topic, partition or group, or no log in the directory
  130  interrupted by Ctrl-C

Examples:
  varve topic create orders --partitions 4
  varve append orders orders.ndjson --key customer
  varve read orders --from latest --follow
  varve replay orders --json > orders.ndjson
  varve verify
`

const TOPIC_HELP = `
Examples:
  varve topic create orders --partitions 4
  varve topic list
  varve topic alter orders -c retention.ms=86400000
`

const GROUP_HELP = `
Examples:
  varve group list
  varve group describe billing
  varve group reset billing --to-earliest --execute
`

/** Builds the whole command line. */
export function createProgram(): Command {
  const program = new Command('varve')
  program
    .description("An embedded append-only partitioned log: Kafka's model and file format, with no server.")
    .version(readVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help for a command')
    .exitOverride()
    // main says what went wrong, in one place for all errors
    .configureOutput({ outputError: () => {} })
    .addHelpText('after', HELP)
  const topic = program.command('topic').description('create, list, describe, alter, delete and adopt topics')
  topic.addHelpText('after', TOPIC_HELP)
  registerTopicCreate(topic)
  registerTopicList(topic)
  registerTopicDescribe(topic)
  registerTopicAlter(topic)
  registerTopicDelete(topic)
  registerTopicAdopt(topic)
  const group = program.command('group').alias('groups')
  group.description('list, describe, reset and delete consumer groups').addHelpText('after', GROUP_HELP)
  registerGroupList(group)
  registerGroupDescribe(group)
  registerGroupReset(group)
  registerGroupDelete(group)
  registerAppend(program)
  registerRead(program)
  registerReplay(program)
  registerDump(program)
  registerVerify(program)
  registerBackup(program)
  registerRepair(program)
  registerServe(program)
  registerBench(program)
  return program
}

/** The package's version; package.json stands two folders up from here, in the sources and when built. */
function readVersion(): string {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  return manifest.version
}
