/** Kafka's numbers of errors that only a server answers with. Source: Kafka's Errors.java. */
export const FENCED_LEADER_EPOCH = 74
export const FETCH_SESSION_ID_NOT_FOUND = 70
export const INVALID_FETCH_SESSION_EPOCH = 71
export const INVALID_REQUEST = 42
export const INVALID_REQUIRED_ACKS = 21
export const INVALID_RECORD = 87
export const OFFSET_OUT_OF_RANGE = 1
export const UNKNOWN_LEADER_EPOCH = 75
export const UNKNOWN_TOPIC_ID = 100
export const UNKNOWN_TOPIC_OR_PARTITION = 3
export const UNSUPPORTED_FOR_MESSAGE_FORMAT = 43
export const UNSUPPORTED_VERSION = 35
