import type { Random } from '../environment.ts'
import { FETCH_SESSION_ID_NOT_FOUND, INVALID_FETCH_SESSION_EPOCH } from './error-codes.ts'
import type { Pace } from './pace.ts'

/** A partition that is to be fetched from: by the topic's name or, in later versions, its id. */
export interface FetchedPartition {
  topic: string
  topicId: string
  partition: number
  fetchOffset: number
  currentLeaderEpoch: number
  partitionMaxBytes: number
}

/** What a client has been told of a partition in its session. */
export interface SessionPartition extends FetchedPartition {
  highWatermark: number
  logStartOffset: number
}

/** What one client fetches, so that it need only say what changes (KIP-227). */
export interface FetchSession {
  /** 0: there is none, and all is said each time. */
  id: number
  /** Of the next request. */
  epoch: number
  /** By topic and partition; those that gave something last are served last. */
  partitions: Map<string, SessionPartition>
}

/** Sessions that are kept: Kafka's max.incremental.fetch.session.cache.slots. The one that was used least lately goes. */
const SESSIONS_MAX = 1_000
/** Partitions of all sessions together: beyond it the sessions that were used least lately go, and a larger one is not kept. */
const PARTITIONS_MAX = 100_000
/** Epoch of a request that opens a session, and of one that wants none. */
const INITIAL_EPOCH = 0
const FINAL_EPOCH = -1

/** What is asked for by a request. */
export interface SessionRequest {
  sessionId: number
  sessionEpoch: number
  partitions: FetchedPartition[]
  forgotten: { topic: string; topicId: string; partition: number }[]
}

/** The fetch sessions of a server. */
export class FetchSessions {
  /** The least lately used first. */
  private readonly sessions = new Map<number, FetchSession>()

  constructor(private readonly random: Random) {}

  /**
   * The session that a request is about, with what the request changes in it.
   *
   * @returns `isFull`: all partitions are to be answered, not only those with news; or Kafka's number of an error
   */
  async use(
    { sessionId, sessionEpoch, partitions, forgotten }: SessionRequest,
    pace: Pace,
  ): Promise<{ session: FetchSession; isFull: boolean } | number> {
    if (sessionEpoch === FINAL_EPOCH || sessionEpoch === INITIAL_EPOCH) {
      this.sessions.delete(sessionId)
      const session = { id: 0, epoch: 0, partitions: new Map<string, SessionPartition>() }
      await putAll(session, partitions, pace)
      if (sessionEpoch === INITIAL_EPOCH && session.partitions.size > 0) this.keep(session)
      return { session, isFull: true }
    }
    const session = this.sessions.get(sessionId)
    if (session === undefined) return FETCH_SESSION_ID_NOT_FOUND
    if (session.epoch !== sessionEpoch) return INVALID_FETCH_SESSION_EPOCH
    session.epoch = nextEpoch(session.epoch)
    this.sessions.delete(sessionId)
    this.sessions.set(sessionId, session)
    for (const one of forgotten) session.partitions.delete(keyOf(one))
    await putAll(session, partitions, pace)
    this.makeRoom()
    return { session, isFull: false }
  }

  private keep(session: FetchSession): void {
    do session.id = Math.floor(this.random.next() * 0x7fffffff)
    while (session.id === 0 || this.sessions.has(session.id))
    session.epoch = 1
    this.sessions.set(session.id, session)
    this.makeRoom()
  }

  private makeRoom(): void {
    let partitions = 0
    for (const session of this.sessions.values()) partitions += session.partitions.size
    for (const [id, session] of this.sessions) {
      if (this.sessions.size <= SESSIONS_MAX && partitions <= PARTITIONS_MAX) return
      this.sessions.delete(id)
      partitions -= session.partitions.size
    }
  }
}

async function putAll({ partitions }: FetchSession, added: readonly FetchedPartition[], pace: Pace): Promise<void> {
  for (const one of added) {
    const key = keyOf(one)
    const known = partitions.get(key)
    if (known === undefined) partitions.set(key, { ...one, highWatermark: -1, logStartOffset: -1 })
    else Object.assign(known, one)
    if (pace.isOver) await pace.rest()
  }
}

/** Ids have no '/' at their place in names, nor names one at all. */
export function keyOf({ topic, topicId, partition }: { topic: string; topicId: string; partition: number }): string {
  return `${topic}/${topicId}/${partition}`
}

function nextEpoch(epoch: number): number {
  return epoch === 0x7fffffff ? 1 : epoch + 1
}
