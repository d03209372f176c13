import { defineApi, type Call } from '../api.ts'
import { INVALID_REQUEST } from '../error-codes.ts'
import { array, int16, int32, int8, list, nullableString, string } from '../protocol/schema.ts'

/**
 * What has a coordinator. Share groups have none here. A transaction has one, though it is refused what it asks of it: to
 * be told so at once is better than to look for a coordinator until some time is up.
 */
const GROUP = 0
const TRANSACTION = 1

/** Which node coordinates a group: always the first one. */
export const findCoordinator = defineApi({
  key: 10,
  name: 'FindCoordinator',
  versions: [0, 6],
  flexibleSince: 3,
  request: {
    key: string({ until: 3 }),
    keyType: int8({ since: 1 }),
    coordinatorKeys: array(string(), { since: 4 }),
  },
  response: {
    throttleTimeMs: int32({ since: 1 }),
    errorCode: int16({ until: 3 }),
    errorMessage: nullableString({ since: 1, until: 3 }),
    nodeId: int32({ until: 3 }),
    host: string({ until: 3 }),
    port: int32({ until: 3 }),
    coordinators: list(
      {
        key: string(),
        nodeId: int32(),
        host: string(),
        port: int32(),
        errorCode: int16(),
        errorMessage: nullableString(),
      },
      { since: 4 },
    ),
  },
  handle: ({ keyType, coordinatorKeys }, call) => {
    const found = coordinatorOf(keyType, call)
    return { throttleTimeMs: 0, ...found, coordinators: coordinatorKeys.map((key) => ({ key, ...found })) }
  },
  refuse({ coordinatorKeys }, errorCode, errorMessage) {
    const failed = { ...NOBODY, errorCode, errorMessage }
    return { throttleTimeMs: 0, ...failed, coordinators: coordinatorKeys.map((key) => ({ key, ...failed })) }
  },
})

const NOBODY = { nodeId: -1, host: '', port: -1 }

function coordinatorOf(keyType: number, { broker }: Call) {
  if (keyType === GROUP || keyType === TRANSACTION) return { ...broker.nodes[0], errorCode: 0, errorMessage: null }
  const errorMessage = `what is of type ${keyType} has no coordinator here`
  return { ...NOBODY, errorCode: INVALID_REQUEST, errorMessage }
}
