/** Kafka's numbers of errors that only a server answers with. Source: Kafka's Errors.java. */
export const COORDINATOR_LOAD_IN_PROGRESS = 14
export const COORDINATOR_NOT_AVAILABLE = 15
export const FENCED_LEADER_EPOCH = 74
export const FETCH_SESSION_ID_NOT_FOUND = 70
export const GROUP_ID_NOT_FOUND = 69
export const GROUP_SUBSCRIBED_TO_TOPIC = 86
export const INVALID_CONFIG = 40
export const INVALID_FETCH_SESSION_EPOCH = 71
export const INVALID_GROUP_ID = 24
export const INVALID_PARTITIONS = 37
export const INVALID_RECORD = 87
export const INVALID_REPLICATION_FACTOR = 38
export const INVALID_REPLICA_ASSIGNMENT = 39
export const INVALID_REQUEST = 42
export const INVALID_REQUIRED_ACKS = 21
export const MISMATCHED_ENDPOINT_TYPE = 114
export const NON_EMPTY_GROUP = 68
export const OFFSET_OUT_OF_RANGE = 1
export const POLICY_VIOLATION = 44
export const TOPIC_ALREADY_EXISTS = 36
export const UNKNOWN_LEADER_EPOCH = 75
export const UNKNOWN_TOPIC_ID = 100
export const UNKNOWN_TOPIC_OR_PARTITION = 3
export const UNSUPPORTED_ENDPOINT_TYPE = 115
export const UNSUPPORTED_FOR_MESSAGE_FORMAT = 43
export const UNSUPPORTED_VERSION = 35

/** What a server refuses for a reason that the log itself knows nothing of. */
export class Refusal extends Error {
  constructor(
    readonly errorCode: number,
    message: string,
  ) {
    super(message)
  }
}

/** What became of one item of a request. */
export interface Outcome {
  errorCode: number
  errorMessage: string | null
}

export const DONE: Outcome = { errorCode: 0, errorMessage: null }
