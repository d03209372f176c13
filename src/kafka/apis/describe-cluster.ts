import { defineApi, type Call } from '../api.ts'
import { CLUSTER_OPERATIONS, OPERATIONS_NOT_ASKED } from '../authorized.ts'
import { DONE, MISMATCHED_ENDPOINT_TYPE, UNSUPPORTED_ENDPOINT_TYPE, type Outcome } from '../error-codes.ts'
import { boolean, int16, int32, int8, list, nullableString, string } from '../protocol/schema.ts'

/** Kafka's numbers of whom a client wants to be told of. */
const BROKERS = 1
const CONTROLLERS = 2

/** Which nodes there are. */
export const describeCluster = defineApi({
  key: 60,
  name: 'DescribeCluster',
  versions: [0, 2],
  flexibleSince: 0,
  request: {
    includeClusterAuthorizedOperations: boolean(),
    endpointType: int8({ since: 1, default: BROKERS }),
    includeFencedBrokers: boolean({ since: 2 }),
  },
  response: {
    throttleTimeMs: int32(),
    errorCode: int16(),
    errorMessage: nullableString(),
    endpointType: int8({ since: 1, default: BROKERS }),
    clusterId: string(),
    controllerId: int32({ default: -1 }),
    brokers: list({
      brokerId: int32(),
      host: string(),
      port: int32(),
      rack: nullableString(),
      isFenced: boolean({ since: 2 }),
    }),
    clusterAuthorizedOperations: int32({ default: OPERATIONS_NOT_ASKED }),
  },
  handle({ endpointType, includeClusterAuthorizedOperations }, { broker }) {
    if (endpointType === CONTROLLERS)
      return refusal(endpointType, MISMATCHED_ENDPOINT_TYPE, 'this is a listener of brokers, not of controllers')
    if (endpointType !== BROKERS)
      return refusal(endpointType, UNSUPPORTED_ENDPOINT_TYPE, `there are no endpoints of type ${endpointType}`)
    return {
      ...answer(endpointType, DONE),
      ...describeNodes(broker),
      clusterAuthorizedOperations: includeClusterAuthorizedOperations ? CLUSTER_OPERATIONS : OPERATIONS_NOT_ASKED,
    }
  },
  refuse: ({ endpointType }, errorCode, message) => refusal(endpointType, errorCode, message),
})

function describeNodes({ nodes, settings }: Call['broker']) {
  return {
    clusterId: settings.clusterId,
    controllerId: nodes[0].nodeId,
    brokers: nodes.map(({ nodeId, host, port }) => ({ brokerId: nodeId, host, port, rack: null, isFenced: false })),
  }
}

function refusal(endpointType: number, errorCode: number, errorMessage: string) {
  return answer(endpointType, { errorCode, errorMessage })
}

function answer(endpointType: number, outcome: Outcome) {
  return {
    throttleTimeMs: 0,
    ...outcome,
    endpointType,
    clusterId: '',
    controllerId: -1,
    brokers: [],
    clusterAuthorizedOperations: OPERATIONS_NOT_ASKED,
  }
}
