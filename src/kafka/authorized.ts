/**
 * The operations that a client may do, as bits by Kafka's numbers of them: all, as nobody is kept from anything.
 *
 * Source: Kafka's AclOperation.java and AclEntry.java.
 */
function bits(...operations: number[]): number {
  return operations.reduce((sum, operation) => sum + 2 ** operation, 0)
}

const [
  READ,
  WRITE,
  CREATE,
  DELETE,
  ALTER,
  DESCRIBE,
  CLUSTER_ACTION,
  DESCRIBE_CONFIGS,
  ALTER_CONFIGS,
  IDEMPOTENT_WRITE,
] = [3, 4, 5, 6, 7, 8, 9, 10, 11, 12]

/** On a topic. */
export const TOPIC_OPERATIONS = bits(READ, WRITE, CREATE, DELETE, ALTER, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS)

/** On a group. */
export const GROUP_OPERATIONS = bits(READ, DELETE, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS)

/** On the cluster. */
export const CLUSTER_OPERATIONS = bits(
  CREATE,
  ALTER,
  DESCRIBE,
  CLUSTER_ACTION,
  DESCRIBE_CONFIGS,
  ALTER_CONFIGS,
  IDEMPOTENT_WRITE,
)

/** Where nobody has asked. */
export const OPERATIONS_NOT_ASKED = -(2 ** 31)
