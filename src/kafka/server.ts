import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { internalsOf, type VarveInternals } from '../client/internals.ts'
import type { Varve } from '../client/varve.ts'
import { boolean, checkOptions, functionCheck, integer, nonEmptyString, type Check } from '../options.ts'
import { apis } from './apis.ts'
import { Broker } from './broker.ts'
import { KafkaConnection } from './connection.ts'
import { kafkaLimits, type KafkaLimits } from './limits.ts'

/** Options of `serveKafka`. */
export interface ServeOptions {
  /** Where to listen: an IPv4 or IPv6 address, or a name. Default 127.0.0.1. */
  host?: string
  /** Port of the first node; the others follow. 0, the default: free ports. */
  port?: number
  /** Host that clients are told to connect to. Default: `host`, or 127.0.0.1 where that means all addresses. */
  advertisedHost?: string
  /** How many node ids there are, each on a port of its own. 1 to 100. Default 1. */
  brokers?: number
  /** Node id of the first one. At least 0. Default 1. */
  nodeId?: number
  /** What clients are told the cluster is called. 22 characters, base64url. Default: one that stays with the directory. */
  clusterId?: string
  /** A client that asks for a topic that is not there gets it. Default true, as in Kafka. */
  autoCreateTopics?: boolean
  /** Partitions of a topic that is made so, or where a client leaves it to the server. Default 1, as in Kafka. */
  defaultPartitions?: number
  /** What clients may take; see {@link KafkaLimits}. */
  limits?: Partial<KafkaLimits>
  /** Told in one line of each connection that was closed for what it did, and of what failed. Default `console.warn`. */
  onWarning?: (message: string) => void
}

const isObject: Check = (value) => (typeof value === 'object' && value !== null ? null : 'must be an object')

/**
 * Serves an open log to Kafka clients. The log stays usable in this process, on the same topics and in the same groups;
 * it is the caller's to close, after the server.
 *
 * @throws TypeError or RangeError for options that are not what they should be
 * @throws the system's error where it cannot listen (EADDRINUSE, EACCES)
 */
export async function serveKafka(log: Varve, options: ServeOptions = {}): Promise<KafkaServer> {
  return listen(log, options, async () => {})
}

/** As {@link serveKafka}; `afterwards` is done when the server has closed. */
export async function listen(log: Varve, options: ServeOptions, afterwards: () => Promise<void>): Promise<KafkaServer> {
  checkOptions('serveKafka', options, {
    host: nonEmptyString,
    port: integer(0, 65_535),
    advertisedHost: nonEmptyString,
    brokers: integer(1, 100),
    nodeId: integer(0, 2 ** 31 - 101),
    clusterId: nonEmptyString,
    autoCreateTopics: boolean,
    defaultPartitions: integer(1, 100_000),
    limits: isObject,
    onWarning: functionCheck,
  })
  const limits = { ...kafkaLimits, ...options.limits }
  checkOptions(
    'serveKafka',
    limits,
    Object.fromEntries(Object.keys(kafkaLimits).map((name) => [name, integer(1)])) as Record<keyof KafkaLimits, Check>,
  )
  const { autoCreateTopics = true, defaultPartitions = 1 } = options
  const warn = options.onWarning ?? ((message) => console.warn(message))
  const internals = internalsOf('serveKafka', log)
  const clusterId = options.clusterId ?? (await clusterIdOf(internals, warn))
  const broker = new Broker(internals, apis, limits, { clusterId, autoCreateTopics, defaultPartitions }, warn)
  const server = new KafkaServer(log, broker, afterwards)
  await server.listen(options)
  return server
}

/** The same for the same directory: clients tell clusters apart by it. */
async function clusterIdOf({ engine }: VarveInternals, warn: (message: string) => void): Promise<string> {
  const { clusterId, isStored } = await engine.clusterId.get()
  if (!isStored) warn(`the cluster id '${clusterId}' could not be stored: name one, or clients see another next time`)
  return clusterId
}

/** A log that Kafka clients can reach. */
export class KafkaServer implements AsyncDisposable {
  private readonly servers: Server[] = []
  private readonly connections = new Set<KafkaConnection>()
  private closing: Promise<void> | null = null

  constructor(
    /** The log that it serves. */
    readonly log: Varve,
    private readonly broker: Broker,
    private readonly afterwards: () => Promise<void>,
  ) {}

  /** What clients connect to: `host:port` of each node. */
  get bootstrapServers(): string[] {
    return this.broker.nodes.map(({ host, port }) => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`))
  }

  /** Called once, by `serveKafka`. */
  async listen({ host = '127.0.0.1', port = 0, advertisedHost, brokers = 1, nodeId = 1 }: ServeOptions): Promise<void> {
    const told = advertisedHost ?? (host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host)
    try {
      for (let i = 0; i < brokers; i++) {
        const server = createServer({ allowHalfOpen: true }, (socket) => this.accept(socket, nodeId + i))
        this.servers.push(server)
        await new Promise<void>((resolve, reject) => {
          server.once('error', reject)
          server.listen(port === 0 ? 0 : port + i, host, resolve)
        })
        server.on('error', (error) => this.broker.warn(`listening failed: ${error.message}`))
        this.broker.nodes.push({ nodeId: nodeId + i, host: told, port: (server.address() as AddressInfo).port })
      }
    } catch (error) {
      for (const server of this.servers) server.close()
      throw error
    }
  }

  /** Takes no new connections, answers what was asked, and closes; what is not answered in 10 s is cut off. */
  close(): Promise<void> {
    return (this.closing ??= this.end())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  private accept(socket: Socket, nodeId: number): void {
    const { limits, warn } = this.broker
    if (this.connections.size >= limits.maxConnections || this.closing !== null) {
      if (this.closing === null) warn(`connection refused: there are ${limits.maxConnections} already`)
      socket.destroy()
      return
    }
    const connection = new KafkaConnection(socket, this.broker, nodeId)
    this.connections.add(connection)
    void connection.closed.then(() => this.connections.delete(connection))
  }

  private async end(): Promise<void> {
    const closed = this.servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())))
    const cancel = this.broker.clock.setTimer(DRAIN_MS, () => {
      for (const connection of this.connections) connection.destroy()
    })
    this.broker.close()
    await Promise.all([...this.connections].map((connection) => connection.drain()))
    cancel()
    await Promise.all(closed)
    await this.afterwards()
  }
}

const DRAIN_MS = 10_000
