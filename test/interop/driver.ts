/** Clients in other languages: small programs that do as one JSON argument says and print JSON, one object a line. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import type { Json } from '../helpers/run-cli.ts'

/** Where `.ci/clients` puts what it installs. */
export const CLIENTS = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'varve-clients')

/** A program that drives a client, or null where it is not installed. */
export type Driver = string[] | null

/** confluent-kafka for Python, with the librdkafka in its wheel. */
export function findConfluent(): Driver {
  const python = join(CLIENTS, 'python/bin/python')
  const here = fileURLToPath(new URL('confluent/', import.meta.url))
  const installed = join(CLIENTS, 'python/requirements.txt')
  const isThere = existsSync(installed) && readFileSync(installed).equals(readFileSync(`${here}requirements.txt`))
  return isThere ? [python, `${here}driver.py`] : missing('confluent-kafka (Python, librdkafka)')
}

/** A program in Go that drives franz-go. */
export function findFranzGo(): Driver {
  const program = join(CLIENTS, 'franz-go')
  return existsSync(program) ? [program] : missing('franz-go (Go)')
}

/** Says on the console that tests are left out, so that it does not go unnoticed. */
export function missing(client: string): null {
  console.warn(`\n*** LEFT OUT: tests with ${client}, because it is not installed: run .ci/clients\n`)
  return null
}

/** A client at work. The test ends it at the latest. */
export class Driven {
  /** What it has said so far. */
  readonly said: Json[] = []
  /** Resolves with how it ended, and what it complained of. */
  readonly ended: Promise<{ code: number | null; complaints: string }>
  private readonly child: ChildProcessWithoutNullStreams

  constructor(driver: Driver, request: object) {
    const [program, ...words] = driver!
    const child = (this.child = spawn(program, [...words, JSON.stringify(request)]))
    onTestFinished(() => void child.kill('SIGKILL'))
    const complaints: Buffer[] = []
    child.stderr.on('data', (chunk: Buffer) => complaints.push(chunk))
    createInterface(child.stdout).on('line', (line) => this.said.push(JSON.parse(line)))
    this.ended = once(child, 'close').then(([code]) => ({
      code: code as number | null,
      complaints: Buffer.concat(complaints).toString(),
    }))
  }

  /** Dies at once, as a process does that loses its machine. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL')
    await this.ended
  }

  /** Is told to come to an end; resolves with the last thing that it said. */
  async finish(): Promise<Json> {
    this.child.stdin.end()
    const { code, complaints } = await this.ended
    if (code !== 0) throw new Error(`the client ended with ${code}: ${complaints}`)
    return this.said.at(-1)
  }
}

/** Does one thing to its end; what the client said last. */
export function drive(driver: Driver, request: object): Promise<Json> {
  return new Driven(driver, request).finish()
}
