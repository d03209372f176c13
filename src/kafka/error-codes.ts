/** Kafka's numbers of errors that only a server answers with. Source: Kafka's Errors.java. */
export const COORDINATOR_NOT_AVAILABLE = 15
export const FENCED_LEADER_EPOCH = 74
export const FETCH_SESSION_ID_NOT_FOUND = 70
export const GROUP_ID_NOT_FOUND = 69
export const GROUP_SUBSCRIBED_TO_TOPIC = 86
export const INVALID_FETCH_SESSION_EPOCH = 71
export const INVALID_REQUEST = 42
export const NON_EMPTY_GROUP = 68
export const OFFSET_OUT_OF_RANGE = 1
export const UNKNOWN_LEADER_EPOCH = 75
export const UNKNOWN_TOPIC_ID = 100
export const UNKNOWN_TOPIC_OR_PARTITION = 3
export const UNSUPPORTED_FOR_MESSAGE_FORMAT = 43
