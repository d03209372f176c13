import { stat } from 'node:fs/promises'
import type { Command } from 'commander'
import { dumpFile, type DumpedCheckpoint, type DumpEntry } from '../inspect/dump-file.ts'
import type { DumpedBatch, DumpedRecord } from '../inspect/dump-log.ts'
import { jsonOption, valueCodecOption } from './arguments.ts'
import { cannotRead, ExitCode, usageError } from './exit.ts'
import { output, say } from './output.ts'
import { countOf, formatTime } from './units.ts'
import { dataOf, jsonText, keyText, safeText, textOf, valueDecoder, valueText, type ShownValue } from './values.ts'

interface DumpOptions {
  records?: boolean
  json?: boolean
  valueCodec?: string
}

/** What mistakes in a call of `dumpFile` begin with, which nobody called on a command line. */
const OWN_NAME = 'dumpFile: '

type Decode = (bytes: Buffer | null) => ShownValue

const HELP = `
Reads segment files (.log), their indexes (.index, .timeindex) and checkpoints
(checkpoint-a, checkpoint-b), whether Varve wrote them or Kafka. Prints one line
an entry, beginning with its byte position in the file. Damage is listed, what
follows it is read, and the exit code is 1.

A file does not know its topic's value codec: values show as text or base64
unless --value-codec says what they are.

Examples:
  varve dump ./events/orders-0/00000000000000000000.log
  varve dump ./events/orders-0/00000000000000000000.log -r --value-codec msgpack
  varve dump ./events/orders-0/00000000000000000000.timeindex --json
`

/** `varve dump` */
export function registerDump(program: Command): void {
  program
    .command('dump <file>')
    .description('list the batches or index entries of a file of the log')
    .option('-r, --records', 'the records of each batch, too')
    .addOption(valueCodecOption())
    .addOption(jsonOption('print each entry as one line of JSON'))
    .addHelpText('after', HELP)
    .action(dump)
}

async function dump(file: string, { records = false, json = false, valueCodec = 'bytes' }: DumpOptions): Promise<void> {
  await requireFile(file)
  const decode = valueDecoder(valueCodec)
  let damaged = 0
  for await (const entry of entriesOf(file, records)) {
    if (entry.kind === 'damage') damaged++
    const text = json ? `${jsonText(jsonEntry(entry, decode))}\n` : entryText(entry, decode)
    const waiting = output.write(text)
    if (waiting !== undefined) await waiting
  }
  if (damaged === 0) return
  process.exitCode = ExitCode.failed
  say(`varve: '${file}' is damaged in ${countOf(damaged, 'place')}`)
}

/** @throws CliFailure USAGE for a file that is none of the log's */
async function* entriesOf(file: string, records: boolean): AsyncGenerator<DumpEntry> {
  try {
    yield* dumpFile(file, { records })
  } catch (error) {
    if (error instanceof TypeError && error.message.startsWith(OWN_NAME)) {
      throw usageError(error.message.slice(OWN_NAME.length))
    }
    throw error
  }
}

async function requireFile(file: string): Promise<void> {
  try {
    const stats = await stat(file)
    if (stats.isDirectory()) throw new Error('it is a directory: name a file in it')
  } catch (error) {
    throw cannotRead(file, error)
  }
}

function jsonEntry(entry: DumpEntry, decode: Decode): object {
  if (entry.kind !== 'batch' || entry.records === undefined) return entry
  return { ...entry, records: entry.records.map((record) => jsonRecord(record, decode)) }
}

function jsonRecord({ offset, timestamp, key, value, headers, control }: DumpedRecord, decode: Decode): object {
  const keyShown = key === null ? null : textOf(key)
  const shown = decode(value)
  return {
    offset,
    timestamp,
    key: keyShown ?? key?.toString('base64') ?? null,
    ...(key !== null && keyShown === null && { keyEncoding: 'base64' }),
    value: dataOf(shown),
    ...(shown.kind === 'bytes' && { valueEncoding: 'base64' }),
    headers: headers.map(([name, bytes]) => [name, bytes === null ? null : (textOf(bytes) ?? bytes)]),
    ...(control !== undefined && { control }),
  }
}

function entryText(entry: DumpEntry, decode: Decode): string {
  switch (entry.kind) {
    case 'batch':
      return `${batchText(entry)}\n${(entry.records ?? []).map((record) => `${recordText(record, decode)}\n`).join('')}`
    case 'index':
      return `${entry.position}\toffset ${entry.offset}\tbatch at ${entry.logPosition}\n`
    case 'timeindex':
      return `${entry.position}\t${formatTime(entry.timestamp)}\toffset ${entry.offset}\n`
    case 'checkpoint':
      return checkpointText(entry)
    case 'damage':
      return `${entry.position}\tDAMAGED\tup to ${entry.nextPosition}\t${entry.reason}\n`
  }
}

function checkpointText({ position, sequence, format, checkpoint }: DumpedCheckpoint): string {
  const state = checkpoint.clean ? 'closed in order' : 'in use, or not closed in order'
  const partitions = Object.entries(checkpoint.partitions).map(
    ([name, partition]) => `\t${name}\t${jsonText(partition)}\n`,
  )
  return `${position}\tcheckpoint ${sequence}\tformat ${format}\t${state}\n${partitions.join('')}`
}

function batchText(batch: DumpedBatch): string {
  const { position, baseOffset, lastOffset, count, sizeBytes, maxTimestamp, timestampType, leaderEpoch, crc, crcOk } =
    batch
  const marks = [
    batch.compression,
    timestampType,
    `epoch ${leaderEpoch}`,
    `crc ${crc} ${crcOk ? 'ok' : 'WRONG'}`,
    ...(batch.producerId >= 0
      ? [`producer ${batch.producerId}/${batch.producerEpoch}, sequence ${batch.baseSequence}`]
      : []),
    ...(batch.isTransactional ? ['transactional'] : []),
    ...(batch.isControl ? ['control'] : []),
    ...(batch.deleteHorizon === undefined ? [] : [`tombstones until ${formatTime(batch.deleteHorizon)}`]),
  ]
  const offsets = `offsets ${baseOffset}-${lastOffset}`
  return [position, offsets, countOf(count, 'record'), `${sizeBytes} bytes`, formatTime(maxTimestamp), ...marks].join(
    '\t',
  )
}

function recordText({ offset, timestamp, key, value, headers, control }: DumpedRecord, decode: Decode): string {
  const shown = headers.map(([name, bytes]) => `${safeText(name)}=${bytes === null ? 'null' : keyText(bytes)}`)
  const content = control ?? valueText(decode(value))
  return ['', offset, formatTime(timestamp), key === null ? '-' : keyText(key), content, ...shown].join('\t')
}
