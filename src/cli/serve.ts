import type { Command } from 'commander'
import { systemClock } from '../environment.ts'
import { systemErrorCode } from '../errors.ts'
import type { Flush } from '../engine/flush.ts'
import { serveKafka, type KafkaServer } from '../kafka/server.ts'
import { directoryOption, integerArgument, jsonOption, parseFlushOption } from './arguments.ts'
import { CliFailure, ExitCode } from './exit.ts'
import { Interruption } from './interruption.ts'
import { withLog } from './log-access.ts'
import { output, say } from './output.ts'

const HELP = `
Makes the log where there is none. Ends with Ctrl-C or SIGTERM: requests that are
under way are answered, and the log is closed in order. Any Kafka client can use
it; there is no authentication, so listen only where you trust everybody.

Examples:
  varve serve
  varve serve --port 0 --json
  varve serve --host 0.0.0.0 --advertised-host 192.168.1.20 --flush os
`

interface Options {
  directory: string
  host: string
  port: number
  advertisedHost?: string
  brokers: number
  partitions: number
  autoCreate: boolean
  flush?: Flush
  json?: boolean
}

/** `varve serve` */
export function registerServe(program: Command): void {
  program
    .command('serve')
    .description('serve the log to Kafka clients over TCP')
    .option('--host <address>', 'address or name to listen on', '127.0.0.1')
    .option('--port <number>', 'port of the first node, the others follow; 0: free ones', integerArgument(0), 9092)
    .option('--advertised-host <name>', 'host that clients are told to connect to')
    .option('--brokers <number>', 'node ids, each on a port of its own', integerArgument(1), 1)
    .option('--partitions <number>', 'partitions of topics that clients leave to the server', integerArgument(1), 1)
    .option('--no-auto-create', 'make no topic because a client asks for it')
    .option('--flush <mode>', 'each, group (the default), os, or a loss window such as 10ms', parseFlushOption)
    .addOption(directoryOption())
    .addOption(jsonOption('print where it listens as JSON'))
    .addHelpText('after', HELP)
    .action(serve)
}

async function serve({ directory, host, port, brokers, json, flush, ...options }: Options): Promise<void> {
  using interruption = new Interruption()
  const settings = {
    host,
    port,
    brokers,
    autoCreateTopics: options.autoCreate,
    defaultPartitions: options.partitions,
    ...(options.advertisedHost !== undefined && { advertisedHost: options.advertisedHost }),
    onWarning: (message: string) => say(`varve: ${message}`),
  }
  const run = async (server: KafkaServer) => {
    if (json) await output.json({ directory, bootstrapServers: server.bootstrapServers })
    else await output.line(server.bootstrapServers.join(','))
    const letGo = systemClock.hold()
    await new Promise<void>((resolve) => interruption.onInterrupted(resolve))
    letGo()
    await server.close()
  }
  await withLog(
    directory,
    'create',
    async (log) => {
      const server = await serveKafka(log, settings).catch((error: unknown) => {
        throw cannotListen(error, host, port)
      })
      await run(server)
    },
    flush,
  )
}

function cannotListen(error: unknown, host: string, port: number): unknown {
  const why: { [code: string]: string | undefined } = {
    EADDRINUSE: 'another program listens there: choose another --port, or 0 for a free one',
    EACCES: 'this user may not listen there: choose a --port of at least 1024',
    EADDRNOTAVAIL: 'this machine has no such address: choose another --host',
    ENOTFOUND: 'there is no such name: choose another --host',
  }
  const code = systemErrorCode(error) ?? ''
  const advice = why[code]
  if (advice === undefined) return error
  return new CliFailure(ExitCode.failed, code, `cannot listen on ${host}:${port}: ${advice}`)
}
