import { stat } from 'node:fs/promises'
import type { TopicDescription } from '../client/topic-description.ts'
import { Varve } from '../client/varve.ts'
import { CATALOG_TOPIC } from '../engine/catalog.ts'
import type { Flush } from '../engine/flush.ts'
import { partitionDirectory } from '../engine/layout.ts'
import type { VarveOptions } from '../engine/open-options.ts'
import { systemErrorCode, VarveError } from '../errors.ts'
import { directoryWords } from './arguments.ts'
import { CheckpointFiles } from '../storage/checkpoint.ts'
import { nodeStorage } from '../storage/node-storage.ts'
import { CliFailure, ExitCode } from './exit.ts'
import { say } from './output.ts'
import { formatBytes, formatCount } from './units.ts'

/**
 * How a command uses a log. `'read'`: beside a live writer, changing nothing. `'write'`: alone; the log must be there.
 * `'create'`: alone; made where there is none.
 */
export type Access = 'read' | 'write' | 'create'

/**
 * Opens a log, does something with it and closes it, whatever happens.
 *
 * @throws CliFailure where `access` creates none: NO_LOG where there is none, NO_CATALOG where there was one
 */
export async function withLog<T>(
  directory: string,
  access: Access,
  action: (log: Varve) => Promise<T>,
  flush?: Flush,
): Promise<T> {
  if (access !== 'create') await requireLog(directory)
  const options: VarveOptions = { directory, readOnly: access === 'read' }
  if (flush !== undefined) options.flush = flush
  const log = await openLog(options)
  let result: T
  try {
    if (access !== 'read') reportRecovery(log)
    result = await action(log)
  } catch (error) {
    // what went wrong first is what counts
    await log.close().catch(() => {})
    throw error
  }
  await log.close()
  return result
}

async function openLog(options: VarveOptions): Promise<Varve> {
  try {
    return await Varve.open(options)
  } catch (error) {
    if (!(error instanceof VarveError) || error.code !== 'LOCKED') throw error
    const holder = error.message.replace(/; close it there.*$/, '')
    const readers = '`varve read`, `replay`, `topic list`, `group list`'
    const message = `${holder}: end that first; what only reads (${readers}) works beside it`
    throw new VarveError('LOCKED', message, { details: error.details, cause: error })
  }
}

/** Tells what a stop has left; nothing after an orderly one. */
function reportRecovery({ recovery, directory }: Varve): void {
  if (recovery.cutBytes > 0) {
    say(`varve: '${directory}' was not closed in order: cut a torn end of ${formatBytes(recovery.cutBytes)}`)
  }
  for (const { path, position, offset, nextOffset, reason } of recovery.damage) {
    const range = nextOffset > offset ? `, offsets ${offset} to ${nextOffset - 1}` : ''
    const advice = `\`varve verify${directoryWords(directory)}\` says more`
    say(`varve: damage in '${path}' at byte ${formatCount(position)}${range}: ${reason}; ${advice}`)
  }
}

/** @throws CliFailure NO_LOG where nothing of that name is */
export async function requireDirectory(directory: string): Promise<void> {
  try {
    await stat(directory)
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') return
    throw new CliFailure(ExitCode.missing, 'NO_LOG', `there is no directory '${directory}'`, { path: directory })
  }
}

async function requireLog(directory: string): Promise<void> {
  try {
    // with a slash the system says ENOTDIR for a file, and the engine then says what to do
    await stat(`${directory}/${partitionDirectory(CATALOG_TOPIC, 0)}`)
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') return
    await refuseWithoutCatalog(directory)
    const advice = `\`varve topic create <name>${directoryWords(directory)}\` makes one, and -d names another directory`
    throw new CliFailure(ExitCode.missing, 'NO_LOG', `there is no log in '${directory}': ${advice}`, {
      path: directory,
    })
  }
}

/** There was a log where a checkpoint tells of partitions: to start another one over it would be the wrong advice. */
async function refuseWithoutCatalog(directory: string): Promise<void> {
  const { checkpoint, damaged } = await new CheckpointFiles(nodeStorage(), directory).load()
  if (damaged.length === 0 && Object.keys(checkpoint?.partitions ?? {}).length === 0) return
  const path = `${directory}/${partitionDirectory(CATALOG_TOPIC, 0)}`
  const words = directoryWords(directory)
  const message =
    `the log in '${directory}' has lost its catalog of topics: restore '${path}' from a copy, ` +
    `save the log with \`varve repair${words} --output <new directory>\`, or take it over with ` +
    `\`varve topic adopt <topic>${words}\`, for each topic and for __consumer_offsets`
  throw new CliFailure(ExitCode.failed, 'NO_CATALOG', message, { path })
}

/**
 * Describes a topic.
 *
 * @throws CliFailure UNKNOWN_TOPIC_OR_PARTITION, naming the command that creates it and the topics there are
 */
export async function requireTopic(log: Varve, name: string): Promise<TopicDescription> {
  const topics = await log.listTopics()
  const topic = topics.find((each) => each.name === name)
  if (topic !== undefined) return topic
  const names = topics.slice(0, 8).map((each) => each.name)
  const known =
    names.length === 0 ? '' : ` (topics there: ${names.join(', ')}${topics.length > names.length ? ', ...' : ''})`
  const advice = `\`varve topic create ${name}${directoryWords(log.directory)}\` creates it`
  const message = `there is no topic '${name}' in '${log.directory}'${known}: ${advice}`
  throw new CliFailure(ExitCode.missing, 'UNKNOWN_TOPIC_OR_PARTITION', message, { topic: name })
}

/** @throws CliFailure UNKNOWN_TOPIC_OR_PARTITION, naming the partitions there are */
export function requirePartition({ name, partitions }: TopicDescription, partition: number | undefined): void {
  const last = partitions.length - 1
  if (partition === undefined || partition <= last) return
  const message = `topic '${name}' has ${last === 0 ? 'partition 0 only' : `partitions 0 to ${last}`}, not ${partition}`
  throw new CliFailure(ExitCode.missing, 'UNKNOWN_TOPIC_OR_PARTITION', message, { topic: name, partition })
}
