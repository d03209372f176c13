import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import type { TopicDescription } from '../client/topic-description.ts'
import type { Varve } from '../client/varve.ts'
import { Appender, type PartitionAppends, type RefusedLine } from './appender.ts'
import { cannotRead, CliFailure, ExitCode, usageError } from './exit.ts'
import { Interruption } from './interruption.ts'
import { LineFault, lineRecords, type LineFormat, type LineReader, type LineRecordOptions } from './line-records.ts'
import { LineSplitter } from './line-splitter.ts'
import { Progress } from './progress.ts'
import { formatSetting } from './settings.ts'
import { countOf } from './units.ts'

/** Where lines come from. */
export interface LineSource {
  /** As messages name it. */
  name: string
  stream: Readable
  /** Bytes to come, where that is known. */
  sizeBytes: number | null
  /** From the name, where it says so. */
  format: LineFormat | null
}

/** What to do with the lines. */
export interface AppendRunOptions extends LineRecordOptions {
  format: LineFormat | null
  batchRecords: number
  skipInvalid: boolean
}

/** What an append has done. */
export interface AppendSummary {
  topic: string
  records: number
  /** Of the lines that were appended. */
  bytes: number
  /** Lines left out with `--skip-invalid`. */
  skipped: number
  seconds: number
  recordsPerSecond: number
  partitions: PartitionAppends[]
}

const CHUNK_BYTES = 256 * 1024
/** A line longer than any record may be. */
const MAX_LINE_BYTES = 256 * 1024 * 1024
/** How long records wait for others to fill their batch when the input pauses. */
const LINGER_MS = 20
const MAX_SKIPS_SAID = 10

/**
 * Opens a file, or standard input for `-` and nothing.
 *
 * @throws CliFailure where there is no such file
 */
export async function openSource(file: string | undefined): Promise<LineSource> {
  if (file === undefined || file === '-') return { name: 'stdin', stream: process.stdin, sizeBytes: null, format: null }
  try {
    const stats = await stat(file)
    if (stats.isDirectory()) throw new Error('it is a directory')
    const stream = createReadStream(file, { highWaterMark: CHUNK_BYTES })
    await once(stream, 'open')
    return { name: file, stream, sizeBytes: stats.isFile() ? stats.size : null, format: formatByName(file) }
  } catch (error) {
    throw cannotRead(file, error)
  }
}

function formatByName(file: string): LineFormat | null {
  if (/\.(ndjson|jsonl|json|ldjson)$/i.test(file)) return 'json'
  return /\.(txt|log|csv|tsv)$/i.test(file) ? 'lines' : null
}

/** `--key` or `--timestamp` with lines of text. */
export function fieldsOfText(): CliFailure {
  return usageError(
    '--key and --timestamp name fields of JSON, and these are lines of text: if it is JSON, say --format json',
  )
}

function formatByContent(first: Buffer): LineFormat {
  return /^\uFEFF?\s*\{/.test(first.toString('utf8', 0, 1024)) ? 'json' : 'lines'
}

/** One run of `varve append`: reads lines from a source and appends them, in constant memory however many there are. */
export class AppendRun {
  private readonly appender: Appender
  private readonly splitter = new LineSplitter()
  private readonly progress: Progress
  private toRecord: LineReader | null = null
  private lines = 0
  private readBytes = 0
  private skipped = 0

  constructor(
    log: Varve,
    private readonly topic: TopicDescription,
    private readonly source: LineSource,
    private readonly options: AppendRunOptions,
  ) {
    const { stream, sizeBytes } = source
    // whoever waits for input hears of a failure at once
    const failed = (error: unknown) => void stream.destroy(error as Error)
    this.appender = new Appender(log, topic.name, options.batchRecords, (line) => this.refuse(line), failed)
    // the iteration throws it; between two steps nobody else would listen
    stream.on('error', () => {})
    this.progress = new Progress(sizeBytes, 'bytes', !process.stdin.isTTY || stream !== process.stdin)
  }

  /**
   * Appends until the input ends, or until Ctrl-C: what was read by then is appended, too.
   *
   * @returns what was done; `exitCode` is not 0 after an interruption
   * @throws CliFailure INVALID_LINE, when all lines before it are appended
   */
  async run(): Promise<{ summary: AppendSummary; exitCode: number }> {
    using interruption = new Interruption()
    const started = performance.now()
    interruption.signal.addEventListener('abort', () => this.source.stream.destroy())
    try {
      await this.consume(interruption.signal)
      await this.appender.finish()
    } finally {
      this.progress.stop()
      this.source.stream.destroy()
    }
    const seconds = (performance.now() - started) / 1000
    return { summary: this.summarize(seconds), exitCode: interruption.exitCode ?? ExitCode.ok }
  }

  private async consume(interrupted: AbortSignal): Promise<void> {
    const chunks = this.source.stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>
    for (;;) {
      const next = chunks.next().catch((error: unknown) => {
        if (interrupted.aborted) return { done: true as const, value: undefined }
        throw error
      })
      await this.submitWhenIdle(next)
      const { done, value } = await next
      if (interrupted.aborted) return
      if (done) break
      this.readBytes += value.length
      this.toRecord ??= this.chooseFormat(value)
      await this.addLines(this.splitter.push(value))
      if (this.splitter.pendingBytes > MAX_LINE_BYTES) {
        await this.refuseLine({ line: this.lines + 1, reason: `longer than ${MAX_LINE_BYTES} bytes` }, true)
      }
    }
    await this.addLines(this.splitter.end())
  }

  /** Someone who types, or a `tail -f`, fills no batch: what there is goes out when nothing comes for a moment. */
  private async submitWhenIdle(next: Promise<unknown>): Promise<void> {
    if (this.appender.isEmpty) return
    const linger = new AbortController()
    const idle = delay(LINGER_MS, true, { signal: linger.signal }).catch(() => false)
    const isIdle = await Promise.race([next.then(() => false), idle])
    linger.abort()
    if (isIdle) await this.appender.submit()
  }

  private chooseFormat(first: Buffer): LineReader {
    const { source, options, topic } = this
    // only JSON has the fields that these options name
    const wanted = options.key !== undefined || options.timestamp !== undefined ? 'json' : null
    const format = options.format ?? source.format ?? wanted ?? formatByContent(first)
    if (format === 'lines' && wanted === 'json') throw fieldsOfText()
    return lineRecords(format, formatSetting(topic.config.valueCodec), options)
  }

  private async addLines(lines: Buffer[]): Promise<void> {
    for (const line of lines) {
      this.lines++
      try {
        const record = this.toRecord!(line)
        if (record === null) continue
        const waiting = this.appender.add({ record, line: this.lines, bytes: line.length })
        if (waiting !== undefined) await waiting
      } catch (error) {
        if (!(error instanceof LineFault)) throw error
        await this.refuseLine({ line: this.lines, reason: error.message })
      }
      this.progress.update({ done: this.readBytes, records: this.appender.records })
    }
  }

  private async refuseLine(line: RefusedLine, always = false): Promise<void> {
    // what came before it must be there before anything is said
    if (always || !this.options.skipInvalid) await this.appender.finish()
    this.refuse(line, always)
  }

  private refuse({ line, reason }: RefusedLine, always = false): void {
    const place = `${this.source.name}:${line}`
    if (!always && this.options.skipInvalid) {
      this.skipped++
      if (this.skipped <= MAX_SKIPS_SAID) this.progress.say(`varve: ${place}: skipped: ${reason}`)
      if (this.skipped === MAX_SKIPS_SAID) this.progress.say('varve: further lines that are skipped are only counted')
      return
    }
    const { records } = this.appender
    const details = { path: this.source.name, line, appended: records }
    const message = `${place}: ${reason}; appended before it: ${countOf(records, 'record')}`
    throw new CliFailure(ExitCode.failed, 'INVALID_LINE', message, details)
  }

  private summarize(seconds: number): AppendSummary {
    const { records, bytes, partitions } = this.appender
    const rounded = Math.round(seconds * 1000) / 1000
    return {
      topic: this.topic.name,
      records,
      bytes,
      skipped: this.skipped,
      seconds: rounded,
      recordsPerSecond: Math.round(records / Math.max(seconds, 0.001)),
      partitions: [...partitions.values()].sort((a, b) => a.partition - b.partition),
    }
  }
}
