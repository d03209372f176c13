import { internalsOf } from '../../src/client/internals.ts'
import { Varve } from '../../src/client/varve.ts'
import { VarveError } from '../../src/errors.ts'
import type { HeartbeatAnswer, HeartbeatRequest } from '../../src/group/modern/modern-group.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { FakeClock } from './fake-clock.ts'
import { DIRECTORY, idle } from './logs.ts'
import { drawCut } from './power-cuts.ts'
import type { SeededRandom } from './seeded-random.ts'

const GROUP = 'billing'
const SESSION_MS = 45_000
const REBALANCE_MS = 60_000
const TOPICS = ['orders', 'payments', 'refunds']

/** A member as a client of Kafka's is one: it believes what it is told, and gives up what it is told to in its own time. */
class Client {
  epoch = 0
  /** What it is at, with what it has yet to give up. */
  has = new Set<string>()
  assigned = new Set<string>()
  topics: string[] = []
  pattern: string | null = null
  /** Says everything the next time, since it does not know what was heard. */
  saysAll = true
  isDead = false
  isBusy = false
  /** When it sent what was answered last (wall clock); the server has heard of it then or later. */
  heardMs = -Infinity
  /** When it first sent something whose answer was lost. */
  lostMs: number | null = null
  /** Since when the server may wait for it to give something up. */
  revokingMs: number | null = null

  constructor(
    readonly memberId: string,
    readonly instanceId: string | null,
  ) {}

  reset(): void {
    this.epoch = 0
    this.has.clear()
    this.assigned.clear()
    this.saysAll = true
    this.revokingMs = null
  }

  revoke(): void {
    for (const key of this.has) if (!this.assigned.has(key)) this.has.delete(key)
  }

  get gives(): boolean {
    for (const key of this.has) if (!this.assigned.has(key)) return true
    return false
  }

  /** Whether the server must not have given up on it yet. */
  isIn(nowMs: number): boolean {
    const isSlow = this.revokingMs !== null && nowMs - this.revokingMs >= REBALANCE_MS
    return this.epoch > 0 && nowMs - this.heardMs < SESSION_MS && !isSlow
  }
}

/** Clients of one group, a coordinator on a disk that may lose its power, and what must hold of them at every moment. */
export class ModernWorld {
  clients: Client[] = []
  readonly history: string[] = []
  private log!: Varve
  private storage = new MemoryStorage()
  private clock = new FakeClock()
  private life = 0
  private made = 0
  private readonly epochs = new Map<string, number>()
  private toldGroupEpoch = 0
  private violation: Error | null = null

  constructor(
    private readonly random: SeededRandom,
    private readonly assignor: 'uniform' | 'range',
  ) {}

  async begin(): Promise<void> {
    await this.open()
    await this.log.createTopic({ name: TOPICS[0], partitions: 5 })
  }

  async step(): Promise<void> {
    const { random } = this
    const client = this.clients.length > 0 ? random.pick(this.clients) : null
    const draw = random.next()
    if (client === null || (draw < 0.08 && this.alive.length < 6)) this.add(null)
    else if (draw < 0.4) await this.maybe(this.beat(client, random.chance(0.15)))
    else if (draw < 0.55) client.revoke()
    else if (draw < 0.6) await this.leave(client)
    else if (draw < 0.63) client.isDead = true
    else if (draw < 0.7) this.subscribe(client)
    else if (draw < 0.9) await this.pass(random.between(100, random.chance(0.1) ? 50_000 : 8_000))
    else if (draw < 0.95) await this.changeTopics()
    else if (draw < 0.98) await this.restart()
    else await this.cutPower()
    this.check()
  }

  /** Nothing happens any more, but that members go on: all partitions are in use, divided evenly. */
  async settle(): Promise<void> {
    if (this.alive.length === 0) this.add(null)
    for (const client of this.alive) this.subscribe(client, TOPICS)
    for (let round = 0; round < 40; round++) {
      await this.clock.advanceSlowly(5_000)
      for (const client of this.alive) {
        await this.beat(client, false)
        client.revoke()
        this.check()
      }
    }
    const all = new Set<string>()
    for (const { topicId, partitions } of this.topics()) for (let i = 0; i < partitions; i++) all.add(`${topicId}/${i}`)
    const used = this.alive.flatMap(({ has }) => [...has])
    const missing = [...all].filter((key) => !used.includes(key))
    if (used.length !== all.size || missing.length > 0) throw new Error(`${used.length} are used, not all ${all.size}`)
    const sizes = this.alive.map(({ has }) => has.size)
    if (this.assignor === 'uniform' && Math.max(...sizes) - Math.min(...sizes) > 1) throw new Error(`${sizes.join()}`)
    const { state } = await internalsOf('a test', this.log).groups.look(GROUP)
    if (state !== 'Stable') throw new Error(`the group is ${state}`)
  }

  async end(): Promise<void> {
    await this.log.close()
  }

  get alive(): Client[] {
    return this.clients.filter(({ isDead }) => !isDead)
  }

  private add(instanceId: string | null): void {
    const isStatic = instanceId === null && this.random.chance(0.3)
    const client = new Client(`m${++this.made}`, isStatic ? `i${this.made}` : instanceId)
    this.subscribe(client)
    this.clients.push(client)
    this.note(`${client.memberId} starts as ${client.instanceId ?? 'dynamic'}`)
  }

  private subscribe(client: Client, topics = TOPICS.filter(() => this.random.chance(0.6))): void {
    const byPattern = this.random.chance(0.3)
    client.topics = byPattern ? [] : topics
    client.pattern = byPattern ? topics.join('|') : ''
    client.saysAll = true
    this.note(`${client.memberId} subscribes to ${topics.join() || 'nothing'}`)
  }

  private async beat(client: Client, isLost: boolean): Promise<void> {
    if (client.isDead || client.isBusy) return
    const { life, random } = this
    const sentMs = this.clock.now()
    const saysAll = client.saysAll || client.epoch === 0
    const saysOwned = saysAll || (client.revokingMs !== null && !client.gives) || random.chance(0.3)
    const hasGiven = saysOwned && !client.gives
    client.isBusy = true
    // what changes from now on is said the next time
    client.saysAll = false
    const answered = this.send(client, {
      epoch: client.epoch,
      rebalanceTimeoutMs: saysAll ? REBALANCE_MS : null,
      topics: saysAll ? client.topics : null,
      pattern: saysAll ? client.pattern : null,
      assignor: saysAll ? this.assignor : null,
      owned: saysOwned ? new Set(client.has) : null,
    })
    const answer = await answered.catch((error: unknown) => error as Error)
    client.isBusy = false
    // what is said to a process that is no more is not heard
    if (client.isDead) return
    if (isLost || life !== this.life || (answer instanceof VarveError && answer.retriable)) {
      client.lostMs ??= sentMs
      client.saysAll = true
      return
    }
    if (answer instanceof Error) this.refused(client, answer)
    else this.told(client, answer, sentMs, hasGiven)
  }

  private told(client: Client, answer: HeartbeatAnswer, sentMs: number, hasGiven: boolean): void {
    const { memberId } = client
    this.note(
      `${memberId} is at ${answer.epoch}, has ${answer.assigned === null ? 'the same' : [...answer.assigned].join()}`,
    )
    if (answer.epoch < (this.epochs.get(memberId) ?? 0)) this.fail(`the epoch of ${memberId} went back`)
    this.epochs.set(memberId, answer.epoch)
    this.toldGroupEpoch = Math.max(this.toldGroupEpoch, answer.epoch)
    client.epoch = answer.epoch
    client.heardMs = sentMs
    if (answer.assigned !== null) {
      client.assigned = new Set(answer.assigned)
      for (const key of answer.assigned) client.has.add(key)
    }
    if (hasGiven) client.revokingMs = null
    if (client.gives) client.revokingMs ??= client.lostMs ?? sentMs
    client.lostMs = null
    this.check()
  }

  private refused(client: Client, error: Error): void {
    const code = error instanceof VarveError ? error.code : error.message
    this.note(`${client.memberId} is refused: ${code}`)
    const isExcused =
      code === 'UNRELEASED_INSTANCE_ID' ||
      (code === 'FENCED_MEMBER_EPOCH' && client.lostMs !== null) ||
      ((code === 'UNKNOWN_MEMBER_ID' || code === 'FENCED_INSTANCE_ID') && !client.isIn(this.clock.now()))
    if (!isExcused) this.fail(`${client.memberId} is refused with ${code}: ${error.message}`)
    if (code === 'FENCED_INSTANCE_ID') client.isDead = true
    client.lostMs = null
    client.reset()
  }

  private async leave(client: Client): Promise<void> {
    if (client.isDead || client.isBusy) return
    const comesBack = client.instanceId !== null && this.random.chance(0.7)
    this.note(`${client.memberId} leaves`)
    client.isDead = true
    client.reset()
    await this.send(client, { epoch: comesBack ? -2 : -1 }).catch(() => {})
    if (comesBack) this.add(client.instanceId)
  }

  private send(client: Client, said: Partial<HeartbeatRequest>): Promise<HeartbeatAnswer> {
    const nothing = { rebalanceTimeoutMs: null, topics: null, pattern: null, assignor: null, owned: null, rackId: null }
    const { memberId, instanceId } = client
    const who = { memberId, instanceId, clientId: 'test', clientHost: '/127.0.0.1', requiresMemberId: true, epoch: 0 }
    return internalsOf('a test', this.log).coordinator.modernHeartbeat(GROUP, { ...nothing, ...who, ...said })
  }

  /** Waits for it, or goes on meanwhile. */
  private async maybe(sent: Promise<void>): Promise<void> {
    if (this.random.chance(0.7)) await sent
    else sent.catch((error: unknown) => (this.violation ??= error as Error))
  }

  private async pass(ms: number): Promise<void> {
    this.note(`${ms} ms pass`)
    await this.clock.advanceSlowly(ms)
    for (const client of this.alive) if (this.random.chance(0.6)) await this.maybe(this.beat(client, false))
  }

  private async changeTopics(): Promise<void> {
    const name = this.random.pick(TOPICS)
    const topic = this.topics().find((one) => one.name === name)
    this.note(`${name} changes`)
    if (topic === undefined) await this.log.createTopic({ name, partitions: this.random.between(1, 6) })
    else if (topic.partitions < 12 && this.random.chance(0.6))
      await this.log.createPartitions(name, topic.partitions + 2)
    else await this.log.deleteTopic(name)
  }

  private topics(): { name: string; topicId: string; partitions: number }[] {
    const { engine } = internalsOf('a test', this.log)
    return TOPICS.flatMap((name) => {
      const topic = engine.topics.get(name)
      return topic === undefined ? [] : [{ name, topicId: topic.record.topicId, partitions: topic.partitions.length }]
    })
  }

  private async restart(): Promise<void> {
    this.note('it is closed and opened again')
    this.life++
    await this.log.close()
    await this.open()
  }

  private async cutPower(): Promise<void> {
    this.note('the power goes')
    this.life++
    const { storage, random } = this
    this.storage = random.chance(0.5) ? storage.crash(drawCut(storage, random)) : storage.clone()
    this.clock = new FakeClock(this.clock.now())
    await this.open()
  }

  private async open(): Promise<void> {
    const { storage, clock, random } = this
    // what asks the process that was there before is not answered
    for (const client of this.clients) if (client.isBusy) client.saysAll = true
    this.log = await Varve.open({ directory: DIRECTORY, storage, clock, random, retentionCheckMs: 2 ** 31 - 1 })
    const { coordinator } = internalsOf('a test', this.log)
    const epoch = (await coordinator.image(GROUP))?.modern?.epoch ?? 0
    if (epoch < this.toldGroupEpoch) this.fail(`the group's epoch went back to ${epoch} from ${this.toldGroupEpoch}`)
    await idle(1)
  }

  private check(): void {
    if (this.violation !== null) throw this.violation
    const nowMs = this.clock.now()
    const users = new Map<string, string>()
    for (const client of this.clients) {
      if (!client.isIn(nowMs)) continue
      for (const key of client.has) {
        const other = users.get(key)
        if (other !== undefined) this.fail(`${key} is used by ${other} and by ${client.memberId}`)
        users.set(key, client.memberId)
      }
    }
  }

  private note(what: string): void {
    this.history.push(what)
  }

  private fail(why: string): never {
    this.violation ??= new Error(why)
    throw this.violation
  }
}
