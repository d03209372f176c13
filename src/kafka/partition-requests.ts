import { VarveError } from '../errors.ts'
import type { Broker } from './broker.ts'
import { INVALID_REPLICA_ASSIGNMENT, POLICY_VIOLATION, Refusal } from './error-codes.ts'

/** What one request may make, as in Kafka. */
const PARTITIONS_MAX = 10_000

/** The partitions that one request may still make. */
export class PartitionBudget {
  private left = PARTITIONS_MAX

  /** @throws Refusal POLICY_VIOLATION */
  take(partitions: number): void {
    if (partitions > this.left)
      throw new Refusal(POLICY_VIOLATION, `one request makes no more than ${PARTITIONS_MAX} partitions`)
    this.left -= partitions
  }
}

/** @throws VarveError INVALID_PARTITIONS */
export function checkPartitionCount(partitions: number): void {
  if (partitions >= 1) return
  throw new VarveError('INVALID_PARTITIONS', `the number of partitions must be at least 1, not ${partitions}`)
}

/**
 * Checks which nodes a client gives partitions to: who leads them is not changed by it.
 *
 * @param first the number of the first partition
 * @throws Refusal INVALID_REPLICA_ASSIGNMENT
 */
export function checkAssignments(
  assignments: readonly { partitionIndex: number; brokerIds: readonly number[] }[],
  first: number,
  { nodes }: Broker,
): void {
  const known = new Set(nodes.map(({ nodeId }) => nodeId))
  const indexes = assignments.map(({ partitionIndex }) => partitionIndex).sort((a, b) => a - b)
  const isGapless = indexes.every((index, i) => index === first + i)
  if (!isGapless) throw refusal(`partitions must be assigned from ${first} on, each once`)
  const replicas = assignments[0]?.brokerIds.length
  for (const { partitionIndex, brokerIds } of assignments) {
    const stranger = brokerIds.find((id) => !known.has(id))
    if (stranger !== undefined)
      throw refusal(`partition ${partitionIndex} is given to node ${stranger}, which is not there`)
    if (brokerIds.length === 0) throw refusal(`partition ${partitionIndex} is given to no node`)
    if (new Set(brokerIds).size < brokerIds.length) throw refusal(`partition ${partitionIndex} names a node twice`)
    if (brokerIds.length !== replicas) throw refusal('all partitions must be given to the same number of nodes')
  }
}

function refusal(message: string): Refusal {
  return new Refusal(INVALID_REPLICA_ASSIGNMENT, message)
}
