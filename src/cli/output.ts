import { ExitCode } from './exit.ts'

/** Text that is gathered before it is written: a write per record would cost more than the record. */
const CHUNK_LENGTH = 64 * 1024

/**
 * Standard output, with back-pressure: what is handed in is written in large pieces, and at the latest when the process
 * has nothing else to do at once, so that whoever follows a log sees each record when it comes.
 */
class Output {
  private text: string[] = []
  private length = 0
  private scheduled = false

  constructor(private readonly stream: NodeJS.WriteStream) {}

  get isTerminal(): boolean {
    return this.stream.isTTY === true
  }

  /** Adds text or bytes. Wait for what it returns where that is a promise: the reader is slow. */
  write(piece: string | Buffer): Promise<void> | undefined {
    if (typeof piece !== 'string') {
      this.flush()
      return this.stream.write(piece) ? undefined : this.drained()
    }
    this.text.push(piece)
    this.length += piece.length
    if (this.length >= CHUNK_LENGTH) return this.flush() ? undefined : this.drained()
    if (!this.scheduled) {
      this.scheduled = true
      setImmediate(() => {
        this.scheduled = false
        this.flush()
      })
    }
    return undefined
  }

  /** Adds a line. */
  line(text: string): Promise<void> | undefined {
    return this.write(`${text}\n`)
  }

  /** Adds one JSON document as one line. */
  json(document: unknown): Promise<void> | undefined {
    return this.line(JSON.stringify(document))
  }

  /** Hands over what was gathered; false when the reader is slow. */
  flush(): boolean {
    const { text } = this
    if (text.length === 0) return true
    this.text = []
    this.length = 0
    return this.stream.write(text.join(''))
  }

  private drained(): Promise<void> {
    return new Promise((resolve) => this.stream.once('drain', resolve))
  }
}

/** Where commands put what they were asked for. */
export const output = new Output(process.stdout)

/** Tells whoever watches: standard error, one line, after all that was put out before. */
export function say(text: string): void {
  output.flush()
  process.stderr.write(`${text}\n`)
}

/**
 * Minds readers that go away. One that closes standard output (`varve read orders | head -1`) has what it wanted: the
 * process ends at once and in silence. That is safe at any moment: commands that write to a log print only after it is closed.
 */
export function endQuietlyWithoutReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(ExitCode.ok)
    say(`varve: cannot write to standard output: ${error.message}`)
    process.exit(ExitCode.failed)
  })
  process.stderr.on('error', () => {})
}
