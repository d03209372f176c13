/** A value, or the promise of one: some libraries work synchronously, and waiting for nothing would cost them. */
export type MaybePromise<T> = T | Promise<T>

/**
 * What an acknowledgement has to promise: that the record is on the disk, with one append in flight (`each`) or many
 * (`group`), or only that the operating system has it (`unsynced`).
 */
export type Acknowledge = 'each' | 'group' | 'unsynced'

/** How a store is opened. */
export interface OpenOptions {
  acknowledge: Acknowledge
  recordBytes: number
}

/** An open store that holds records in the order of their appends; the first has sequence 0. */
export interface Store {
  /** Resolves, or returns, when the record is acknowledged. */
  append: (record: Buffer) => MaybePromise<unknown>
  /** Resolves, or returns, when all of the records are acknowledged, with one sync if they are to be durable. */
  appendBatch: (records: Buffer[]) => MaybePromise<unknown>
  /** Hands over every record from the first to the last, in order. */
  replay(visit: (record: Uint8Array | string) => void): MaybePromise<void>
  /** Reads the record at this sequence. */
  read(sequence: number): MaybePromise<Uint8Array | string>
  close(): MaybePromise<unknown>
}

/** A library that can do the work. */
export interface Peer {
  /** Appends in flight share a sync without help. Others get the coalescing aid of the comparison. */
  groupsCommits: boolean
  open(directory: string, options: OpenOptions): MaybePromise<Store>
}
