import { VarveError } from '../../errors.ts'
import { JOIN_EPOCH, LEAVE_EPOCH, STATIC_LEAVE_EPOCH, type HeartbeatRequest } from './modern-group.ts'
import { serverAssignors } from './target-assignment.ts'

/** Topics that one member may name. */
const NAMES_MAX = 10_000

/**
 * Refuses what no member says. Source: Kafka 4.3's GroupCoordinatorService.
 *
 * @throws VarveError INVALID_REQUEST, UNSUPPORTED_ASSIGNOR
 */
export function checkHeartbeat(request: HeartbeatRequest): void {
  const { memberId, epoch, instanceId, rackId, rebalanceTimeoutMs, topics, pattern, assignor, owned } = request
  if (memberId === '' && (request.requiresMemberId || epoch > 0 || epoch === LEAVE_EPOCH))
    throw invalid('a member has an id')
  if (instanceId === '') throw invalid('an instance id is not empty')
  if (rackId === '') throw invalid('a rack id is not empty')
  if (epoch === JOIN_EPOCH) {
    if (rebalanceTimeoutMs === null) throw invalid('who joins says how long it may take to give up partitions')
    if (owned === null || owned.size > 0) throw invalid('who joins owns no partitions, and says so')
    if (topics === null && pattern === null) throw invalid('who joins says what it subscribes to')
  }
  if (epoch === STATIC_LEAVE_EPOCH && instanceId === null) throw invalid('only a static member goes for a while')
  if (epoch < STATIC_LEAVE_EPOCH) throw invalid(`there is no epoch ${epoch}`)
  if ((topics?.length ?? 0) > NAMES_MAX) throw invalid(`it names more than ${NAMES_MAX} topics`)
  if (assignor === null || serverAssignors.some((name) => name === assignor)) return
  const message = `there is no assignor '${assignor}' here, only ${serverAssignors.join(' and ')}`
  throw new VarveError('UNSUPPORTED_ASSIGNOR', message)
}

function invalid(why: string): VarveError {
  return new VarveError('INVALID_REQUEST', `a heartbeat makes no sense: ${why}`)
}
