/**
 * Every operating error that Varve raises, in one table.
 *
 * The first group carries Kafka's own names and numbers, so that the Kafka server can answer with them; the second
 * group has no counterpart on the wire and is answered there as UNKNOWN_SERVER_ERROR (-1).
 *
 * Source of names, numbers and retriability: Kafka's Errors.java.
 */
const TABLE = {
  OFFSET_OUT_OF_RANGE: { number: 1, retriable: false },
  CORRUPT_MESSAGE: { number: 2, retriable: true },
  UNKNOWN_TOPIC_OR_PARTITION: { number: 3, retriable: true },
  MESSAGE_TOO_LARGE: { number: 10, retriable: false },
  OFFSET_METADATA_TOO_LARGE: { number: 12, retriable: false },
  COORDINATOR_NOT_AVAILABLE: { number: 15, retriable: true },
  INVALID_TOPIC_EXCEPTION: { number: 17, retriable: false },
  ILLEGAL_GENERATION: { number: 22, retriable: false },
  INCONSISTENT_GROUP_PROTOCOL: { number: 23, retriable: false },
  INVALID_GROUP_ID: { number: 24, retriable: false },
  UNKNOWN_MEMBER_ID: { number: 25, retriable: false },
  INVALID_SESSION_TIMEOUT: { number: 26, retriable: false },
  REBALANCE_IN_PROGRESS: { number: 27, retriable: false },
  INVALID_TIMESTAMP: { number: 32, retriable: false },
  UNSUPPORTED_VERSION: { number: 35, retriable: false },
  TOPIC_ALREADY_EXISTS: { number: 36, retriable: false },
  INVALID_PARTITIONS: { number: 37, retriable: false },
  INVALID_CONFIG: { number: 40, retriable: false },
  INVALID_REQUEST: { number: 42, retriable: false },
  UNSUPPORTED_FOR_MESSAGE_FORMAT: { number: 43, retriable: false },
  OUT_OF_ORDER_SEQUENCE_NUMBER: { number: 45, retriable: false },
  INVALID_PRODUCER_EPOCH: { number: 47, retriable: false },
  INVALID_TXN_STATE: { number: 48, retriable: false },
  KAFKA_STORAGE_ERROR: { number: 56, retriable: true },
  NON_EMPTY_GROUP: { number: 68, retriable: false },
  GROUP_ID_NOT_FOUND: { number: 69, retriable: false },
  UNSUPPORTED_COMPRESSION_TYPE: { number: 76, retriable: false },
  MEMBER_ID_REQUIRED: { number: 79, retriable: false },
  GROUP_MAX_SIZE_REACHED: { number: 81, retriable: false },
  FENCED_INSTANCE_ID: { number: 82, retriable: false },
  GROUP_SUBSCRIBED_TO_TOPIC: { number: 86, retriable: false },
  INVALID_RECORD: { number: 87, retriable: false },
  FENCED_MEMBER_EPOCH: { number: 110, retriable: false },
  UNRELEASED_INSTANCE_ID: { number: 111, retriable: false },
  UNSUPPORTED_ASSIGNOR: { number: 112, retriable: false },
  STALE_MEMBER_EPOCH: { number: 113, retriable: false },
  INVALID_REGULAR_EXPRESSION: { number: 128, retriable: false },

  // a client of a server looks for another one, or for this one when it is back
  CLOSED: { number: 6, retriable: false },
  LOCKED: { number: -1, retriable: true },
  READ_ONLY: { number: -1, retriable: false },
  // Kafka has no code of its own for it, and answers so
  DISK_FULL: { number: 56, retriable: true },
  QUEUE_FULL: { number: -1, retriable: true },
  UNEXPECTED_OFFSET: { number: -1, retriable: false },
  NOT_A_DIRECTORY: { number: -1, retriable: false },
  DIRECTORY_NOT_EMPTY: { number: -1, retriable: false },
  PERMISSION_DENIED: { number: -1, retriable: false },
  UNSUPPORTED_FORMAT: { number: -1, retriable: false },
  HANDLER_FAILED: { number: -1, retriable: false },
} as const

/** The `code` of a {@link VarveError}: Kafka's error name where Kafka has one. */
export type ErrorCode = keyof typeof TABLE

/** Where an error happened; every field is present only when it is known. */
export interface ErrorDetails {
  topic?: string
  partition?: number
  /** First offset that the error is about. */
  offset?: number
  /** First offset after the affected range: reading can go on from here. */
  nextOffset?: number
  /** File or directory. */
  path?: string
  /** Byte position in `path`. */
  position?: number
}

/**
 * An operating error: the disk, the directory, the data or the state of the log refused what was asked.
 *
 * Mistakes in a call's arguments are `TypeError` and `RangeError` instead, thrown before anything happens.
 */
export class VarveError extends Error {
  override readonly name = 'VarveError'

  /**
   * @param code    one of {@link ErrorCode}
   * @param message what happened, where, and what to do
   * @param options `details` and the `cause`
   */
  constructor(
    readonly code: ErrorCode,
    message: string,
    options: { details?: ErrorDetails; cause?: unknown } = {},
  ) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.details = options.details ?? {}
  }

  readonly details: ErrorDetails

  /** Kafka's error number, or -1 (UNKNOWN_SERVER_ERROR) where Kafka has none. */
  get kafkaErrorNumber(): number {
    return kafkaErrorNumberOf(this.code)
  }

  /** Whether the same call may succeed later without any change by the caller. */
  get retriable(): boolean {
    return TABLE[this.code].retriable
  }
}

/** Kafka's number of an error, or -1 (UNKNOWN_SERVER_ERROR) where Kafka has none. */
export function kafkaErrorNumberOf(code: ErrorCode): number {
  return TABLE[code].number
}

/** The names of all error codes, for documentation and tests. */
export const errorCodes = Object.keys(TABLE) as ErrorCode[]

const SYSTEM_ERRORS: Record<string, { code: ErrorCode; advice: string }> = {
  ENOSPC: { code: 'DISK_FULL', advice: 'free some space: appends succeed again by themselves' },
  EDQUOT: { code: 'DISK_FULL', advice: 'raise the quota or free some space: appends succeed again by themselves' },
  EACCES: { code: 'PERMISSION_DENIED', advice: 'give this user read and write permission' },
  EPERM: { code: 'PERMISSION_DENIED', advice: 'give this user read and write permission' },
  EROFS: {
    code: 'PERMISSION_DENIED',
    advice: 'the file system is mounted read-only: remount it, or open with readOnly',
  },
  ENOTDIR: { code: 'NOT_A_DIRECTORY', advice: 'name a directory' },
  ENAMETOOLONG: {
    code: 'KAFKA_STORAGE_ERROR',
    advice: 'the path is too long for this system: name a shorter directory',
  },
  ENOENT: {
    code: 'KAFKA_STORAGE_ERROR',
    advice: 'somebody else has removed or moved it: put it back, then open the log again',
  },
  EMFILE: {
    code: 'KAFKA_STORAGE_ERROR',
    advice:
      'raise the limit of open files (ulimit -n), of which each partition that is written holds one, ' +
      'then open the log again',
  },
  ENFILE: { code: 'KAFKA_STORAGE_ERROR', advice: "raise the system's limit of open files, then open the log again" },
}

/** The system error code (`ENOENT`, `EIO`, ...) of a failed storage call, or undefined. */
export function systemErrorCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' ? code : undefined
}

const DAMAGE: readonly ErrorCode[] = ['CORRUPT_MESSAGE', 'INVALID_RECORD', 'UNSUPPORTED_FOR_MESSAGE_FORMAT']

/** Whether an error says that what is stored is not what was written: not only that it cannot be read now. */
export function isDamage(error: unknown): error is VarveError {
  return error instanceof VarveError && DAMAGE.includes(error.code)
}

/** Wraps a failed storage call as `storageError` does, and leaves any other error as it is: a mistake in a call stays one. */
export function wrapSystemError(error: unknown, doing: string, details: ErrorDetails): Error {
  return /^E[A-Z0-9]+$/.test(systemErrorCode(error) ?? '') ? storageError(error, doing, details) : (error as Error)
}

/**
 * Wraps a failed storage call as a {@link VarveError}; one that is a VarveError already is returned as it is.
 *
 * @param doing what was being done, as in "cannot <doing>"
 */
export function storageError(error: unknown, doing: string, details: ErrorDetails): VarveError {
  if (error instanceof VarveError) return error
  const system = systemErrorCode(error) ?? ''
  const known = (Object.hasOwn(SYSTEM_ERRORS, system) ? SYSTEM_ERRORS[system] : undefined) ?? {
    code: 'KAFKA_STORAGE_ERROR' as const,
    advice: 'check the disk, then open the log again',
  }
  const reason = error instanceof Error ? error.message : String(error)
  return new VarveError(known.code, `cannot ${doing}: ${reason}; ${known.advice}`, { details, cause: error })
}
