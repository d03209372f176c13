import type { Damage } from '../storage/recovery.ts'
import type { Storage } from '../storage/storage.ts'

/** How far a verification has come; counts whole directories, not single files. */
export interface VerifyProgress {
  /** The file that is being read. */
  path: string
  /** Bytes read so far, over all files. */
  bytesDone: number
  /** Bytes to read, over all files; grows when a writer appends meanwhile. */
  bytesTotal: number
}

/** Options of `verifyDirectory`. */
export interface VerifyOptions {
  /** Default: the file system. */
  storage?: Storage
  /** Called at each file's end and about once per MiB in between. */
  onProgress?: (progress: VerifyProgress) => void
}

/** Something worth knowing that is no damage: no record and no index entry is affected. */
export interface VerifyWarning {
  path: string
  /** What was found, in a few words. */
  reason: string
}

/** One partition as a verification found it. */
export interface VerifiedPartition {
  /** The topic's name; where no catalog knows the directory, what its name says. */
  topic: string
  partition: number
  segments: number
  /** Valid batches. */
  batches: number
  /** Records in them. */
  records: number
  /** Bytes of log in all segments. */
  sizeBytes: number
  logStartOffset: number
  logEndOffset: number
}

/** What {@link verifyDirectory} found. */
export interface VerifyReport {
  directory: string
  /** No damage; there may be warnings. */
  ok: boolean
  damage: Damage[]
  warnings: VerifyWarning[]
  /** By topic and partition; the internal topics are among them. */
  partitions: VerifiedPartition[]
  /** Bytes read and checked, in all files. */
  checkedBytes: number
  ms: number
}

/**
 * Reads every byte of a log's directory and holds it against everything that vouches for it.
 */
export async function verifyDirectory(_directory: string, _options: VerifyOptions = {}): Promise<VerifyReport> {
  throw new Error('being written')
}
