/** A Java program that runs beside the tests, which may serve it meanwhile. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { javaOptions, type Kafka } from './kafka.ts'

export class JavaProcess implements AsyncDisposable {
  /** What it has printed so far. */
  readonly lines: string[] = []
  private complaints = ''
  private readonly child: ChildProcess
  private readonly closed: Promise<unknown>
  private wakeAll = new Set<() => void>()

  /** @param main a class, or a source file */
  constructor(kafka: Kafka, main: string, ...parameters: string[]) {
    if (kafka.missing !== undefined) throw new Error(kafka.missing)
    const child = spawn('java', [...javaOptions('warn'), '-cp', kafka.classPath, main, ...parameters])
    this.child = child
    this.closed = once(child, 'close').then(() => this.wake())
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.lines.push(line)
      this.wake()
    })
    child.stderr.on('data', (bytes: Buffer) => (this.complaints += String(bytes)))
  }

  /** Resolves when what it has printed is as `holds` wants it. @throws an error when it ends before that */
  async until(holds: (lines: readonly string[]) => boolean): Promise<void> {
    await untilAll([this], () => holds(this.lines))
  }

  /** Resolves when it prints something more, or ends. @throws an error when it has ended */
  async more(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) throw this.failure()
    await new Promise<void>((resolve) => this.wakeAll.add(resolve))
  }

  /** Gives it a line to read. */
  say(line: string): void {
    this.child.stdin!.write(`${line}\n`)
  }

  /** Resolves with what it has printed when it has ended well. @throws an error with its complaints otherwise */
  async end(): Promise<readonly string[]> {
    await this.closed
    if (this.child.exitCode !== 0) throw this.failure()
    return this.lines
  }

  /** Ends it as a crash does. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL')
    await this.closed
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
  }

  private failure(): Error {
    const how = this.child.exitCode ?? this.child.signalCode
    return new Error(
      `Java ended (${how}) after:\n${this.lines.slice(-30).join('\n')}\n${this.complaints.slice(-5_000)}`,
    )
  }

  private wake(): void {
    for (const wake of this.wakeAll) wake()
    this.wakeAll.clear()
  }
}

/** Resolves when what some have printed is as `holds` wants it. @throws an error when one of them ends before that */
export async function untilAll(processes: readonly JavaProcess[], holds: () => boolean): Promise<void> {
  while (!holds()) await Promise.race(processes.map((one) => one.more()))
}
