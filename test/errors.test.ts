/** Error codes, what the system's errors become, and docs/errors.md. */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { errorCodes, storageError, systemErrorCode, VarveError, type ErrorCode } from '../src/errors.ts'
import * as publicApi from '../src/index.ts'
import { systemError } from '../src/storage/system-error.ts'

/** Kafka's Errors.java, and whether its exception is a RetriableException. */
const KAFKA: Partial<Record<ErrorCode, [number: number, retriable: boolean]>> = {
  OFFSET_OUT_OF_RANGE: [1, false],
  CORRUPT_MESSAGE: [2, true],
  UNKNOWN_TOPIC_OR_PARTITION: [3, true],
  MESSAGE_TOO_LARGE: [10, false],
  OFFSET_METADATA_TOO_LARGE: [12, false],
  COORDINATOR_NOT_AVAILABLE: [15, true],
  INVALID_TOPIC_EXCEPTION: [17, false],
  ILLEGAL_GENERATION: [22, false],
  INCONSISTENT_GROUP_PROTOCOL: [23, false],
  INVALID_GROUP_ID: [24, false],
  UNKNOWN_MEMBER_ID: [25, false],
  INVALID_SESSION_TIMEOUT: [26, false],
  REBALANCE_IN_PROGRESS: [27, false],
  INVALID_TIMESTAMP: [32, false],
  UNSUPPORTED_VERSION: [35, false],
  TOPIC_ALREADY_EXISTS: [36, false],
  INVALID_PARTITIONS: [37, false],
  INVALID_CONFIG: [40, false],
  INVALID_REQUEST: [42, false],
  UNSUPPORTED_FOR_MESSAGE_FORMAT: [43, false],
  OUT_OF_ORDER_SEQUENCE_NUMBER: [45, false],
  INVALID_PRODUCER_EPOCH: [47, false],
  INVALID_TXN_STATE: [48, false],
  KAFKA_STORAGE_ERROR: [56, true],
  NON_EMPTY_GROUP: [68, false],
  GROUP_ID_NOT_FOUND: [69, false],
  UNSUPPORTED_COMPRESSION_TYPE: [76, false],
  MEMBER_ID_REQUIRED: [79, false],
  GROUP_MAX_SIZE_REACHED: [81, false],
  FENCED_INSTANCE_ID: [82, false],
  GROUP_SUBSCRIBED_TO_TOPIC: [86, false],
  INVALID_RECORD: [87, false],
  FENCED_MEMBER_EPOCH: [110, false],
  UNRELEASED_INSTANCE_ID: [111, false],
  UNSUPPORTED_ASSIGNOR: [112, false],
  STALE_MEMBER_EPOCH: [113, false],
  INVALID_REGULAR_EXPRESSION: [128, false],
  DISK_FULL: [56, true],
  CLOSED: [6, false],
}
/** What Kafka has no code for, and may pass by itself: a holder closes, a queue drains. */
const PASSING: ErrorCode[] = ['LOCKED', 'QUEUE_FULL']

describe('a VarveError', () => {
  test.each(errorCodes)("of code %s has Kafka's number, or -1, and says whether to try again", (code) => {
    const { kafkaErrorNumber, retriable } = new VarveError(code, 'text')
    expect([kafkaErrorNumber, retriable]).toEqual(KAFKA[code] ?? [-1, PASSING.includes(code)])
  })

  test('carries code, message, details and cause, and is known by its class and name', () => {
    const cause = new Error('below')
    const details = { topic: 'orders', partition: 1, offset: 2, nextOffset: 3, path: '/x', position: 4 }
    const error = new VarveError('CORRUPT_MESSAGE', 'text', { details, cause })
    expect(error).toBeInstanceOf(Error)
    expect(error).toBeInstanceOf(publicApi.VarveError)
    expect(error).toMatchObject({ name: 'VarveError', code: 'CORRUPT_MESSAGE', message: 'text', details, cause })
    expect(String(error)).toBe('VarveError: text')
    expect(error.stack).toContain('errors.test.ts')
  })

  test('without details has none, and without a cause has no such property', () => {
    const error = new VarveError('CLOSED', 'text')
    expect(error.details).toEqual({})
    expect('cause' in error).toBe(false)
    expect('cause' in new VarveError('CLOSED', 'text', { cause: undefined })).toBe(true)
  })
})

describe('a storage call that failed', () => {
  const table: [system: string, code: ErrorCode, advice: string][] = [
    ['ENOSPC', 'DISK_FULL', 'free some space: appends succeed again by themselves'],
    ['EDQUOT', 'DISK_FULL', 'raise the quota or free some space: appends succeed again by themselves'],
    ['EACCES', 'PERMISSION_DENIED', 'give this user read and write permission'],
    ['EPERM', 'PERMISSION_DENIED', 'give this user read and write permission'],
    ['EROFS', 'PERMISSION_DENIED', 'the file system is mounted read-only: remount it, or open with readOnly'],
    ['ENOTDIR', 'NOT_A_DIRECTORY', 'name a directory'],
    ['EIO', 'KAFKA_STORAGE_ERROR', 'check the disk, then open the log again'],
    [
      'EMFILE',
      'KAFKA_STORAGE_ERROR',
      'raise the limit of open files (ulimit -n), of which each partition that is written holds one, ' +
        'then open the log again',
    ],
    ['ENFILE', 'KAFKA_STORAGE_ERROR', "raise the system's limit of open files, then open the log again"],
    ['ENOENT', 'KAFKA_STORAGE_ERROR', 'somebody else has removed or moved it: put it back, then open the log again'],
    ['ENAMETOOLONG', 'KAFKA_STORAGE_ERROR', 'the path is too long for this system: name a shorter directory'],
    ['EWHATEVER', 'KAFKA_STORAGE_ERROR', 'check the disk, then open the log again'],
  ]
  test.each(table)('with %s becomes %s, with what was done, the reason and advice', (system, code, advice) => {
    const cause = systemError(system, 'write', '/data/x.log')
    const error = storageError(cause, "append to '/data/x.log'", { path: '/data/x.log', partition: 1 })
    expect(error).toBeInstanceOf(VarveError)
    expect(error).toMatchObject({ code, details: { path: '/data/x.log', partition: 1 }, cause })
    expect(error.message).toBe(`cannot append to '/data/x.log': ${cause.message}; ${advice}`)
  })

  test.each([new TypeError('odd'), 'text', null, undefined, { code: 5 }])(
    'with %o is a KAFKA_STORAGE_ERROR',
    (cause) => {
      const error = storageError(cause, 'read', {})
      expect(error.code).toBe('KAFKA_STORAGE_ERROR')
      expect(error.cause).toBe(cause)
      expect(error.message).toMatch(/^cannot read: .+; check the disk/)
    },
  )

  test('and was told as a VarveError already stays that one', () => {
    const error = new VarveError('LOCKED', 'held')
    expect(storageError(error, 'open', { path: '/x' })).toBe(error)
  })

  test("the system's code is found in an error, and in nothing else", () => {
    expect(systemErrorCode(systemError('EIO', 'read', '/x'))).toBe('EIO')
    for (const other of [new Error('x'), null, undefined, 'EIO', 5, { code: 5 }])
      expect(systemErrorCode(other)).toBeUndefined()
  })
})

describe('docs/errors.md', () => {
  const text = readFileSync(new URL('../docs/errors.md', import.meta.url), 'utf8')
  const rows = new Map<string, string[]>()
  for (const [, code, rest] of text.matchAll(/^\| `([A-Z_]+)` \|(.*)\|$/gm))
    rows.set(
      code,
      rest.split('|').map((cell) => cell.trim()),
    )

  test('has a row for every code, in the order of the table, and for nothing else', () => {
    expect([...rows.keys()]).toEqual(errorCodes)
  })

  test.each(errorCodes)('says of %s when it comes, what to do, its number and whether to try again', (code) => {
    const { kafkaErrorNumber, retriable } = new VarveError(code, '')
    const [when, what, ...facts] = rows.get(code)!
    expect(Math.min(when.length, what.length)).toBeGreaterThan(10)
    expect(facts).toEqual([String(kafkaErrorNumber), retriable ? 'yes' : 'no'])
  })

  test('explains TypeError and RangeError, and every property of an error', () => {
    expect(text).toMatch(/mistake in a call\W.* `TypeError` or a `RangeError`/)
    for (const property of ['code', 'message', 'details', 'cause', 'kafkaErrorNumber', 'retriable'])
      expect(text).toContain(`| \`${property}\` |`)
    for (const detail of ['topic', 'partition', 'offset', 'nextOffset', 'path', 'position'])
      expect(text).toContain(`\`${detail}\``)
  })

  test('links to places that exist', () => {
    const durability = readFileSync(new URL('../docs/durability.md', import.meta.url), 'utf8')
    const headings = [...durability.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
      heading
        .toLowerCase()
        .replaceAll(/[^a-z ]/g, '')
        .replaceAll(' ', '-'),
    )
    const links = [...text.matchAll(/\]\(durability\.md#([a-z-]+)\)/g)].map(([, anchor]) => anchor)
    expect(links.length).toBeGreaterThan(1)
    for (const anchor of links) expect(headings).toContain(anchor)
  })
})
