/** `varve serve` as a process of its own, which can be killed and started again where it was. */
import { once } from 'node:events'
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { Varve } from '../../src/client/varve.ts'
import { startCli, temporaryDirectory } from './run-cli.ts'

export class ServedLog {
  readonly directory = temporaryDirectory()
  private child!: ChildProcessWithoutNullStreams
  private port = 0

  private constructor(private readonly words: string[]) {}

  /** @param words further options of `varve serve` */
  static async start(...words: string[]): Promise<ServedLog> {
    const served = new ServedLog(words)
    await served.launch()
    return served
  }

  get bootstrapServer(): string {
    return `127.0.0.1:${this.port}`
  }

  /** Ends the server by a signal and starts it again on the same directory and port. */
  async restart(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    await this.end(signal)
    await this.launch()
  }

  /** Ends the server for good, and opens its log here. */
  async open(): Promise<Varve> {
    await this.end('SIGTERM')
    return Varve.open({ directory: this.directory })
  }

  private async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const closed = once(this.child, 'close')
    this.child.kill(signal)
    await closed
  }

  private async launch(): Promise<void> {
    this.child = startCli(['serve', '--port', String(this.port), '-d', this.directory, ...this.words])
    const errors: Buffer[] = []
    this.child.stderr.on('data', (chunk: Buffer) => errors.push(chunk))
    const said = await Promise.race([once(this.child.stdout, 'data'), once(this.child, 'close')])
    const line = String(said[0])
    if (!line.includes(':')) throw new Error(`varve serve ended with ${line}: ${Buffer.concat(errors).toString()}`)
    this.port = Number(line.trim().split(':')[1])
  }
}
