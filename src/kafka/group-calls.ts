import { kafkaErrorNumberOf, VarveError, type ErrorCode } from '../errors.ts'
import type { Call } from './api.ts'
import { COORDINATOR_NOT_AVAILABLE, Refusal } from './error-codes.ts'

/** What has no number that members know, and may pass: they look for the coordinator again, and go on. */
const PASSING: readonly ErrorCode[] = ['DISK_FULL', 'QUEUE_FULL', 'KAFKA_STORAGE_ERROR', 'CLOSED']

/** Whether it is something that passes, so that a client is to try again. */
export function mayPass(error: unknown): error is VarveError {
  return error instanceof VarveError && PASSING.includes(error.code)
}

/** The number that a group's answer carries for what the coordinator says. */
export function groupErrorNumber(code: ErrorCode | null): number {
  if (code === null) return 0
  return PASSING.includes(code) ? COORDINATOR_NOT_AVAILABLE : kafkaErrorNumberOf(code)
}

/** As {@link groupErrorNumber}, of what was thrown. What is no error of the log is told. */
export function groupFailure({ broker }: Call, error: unknown): number {
  broker.reportUnexpected('the group coordinator', error)
  if (error instanceof Refusal) return error.errorCode
  return error instanceof VarveError ? groupErrorNumber(error.code) : -1
}

/**
 * Asks something of the coordinator that may take long: it is given up when the client is gone or the server closes.
 *
 * @throws VarveError COORDINATOR_NOT_AVAILABLE then, and for what may pass
 */
export async function askCoordinator<T>(call: Call, ask: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const ended = new AbortController()
  const abort = () => ended.abort()
  const cancels = [call.broker.onClosing(abort), call.connection.onClosed(abort)]
  try {
    return await ask(ended.signal)
  } catch (error) {
    if (!mayPass(error)) throw error
    throw new VarveError('COORDINATOR_NOT_AVAILABLE', error.message, { cause: error })
  } finally {
    for (const cancel of cancels) cancel()
  }
}
