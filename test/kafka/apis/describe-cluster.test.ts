/** DescribeCluster: which nodes there are. */
import { expect, test } from 'vitest'
import { describeCluster } from '../../../src/kafka/apis/describe-cluster.ts'
import { KafkaSession, versionsOf } from '../../helpers/kafka-session.ts'

/** Kafka's bits of the operations on a cluster: 5, 7 to 12; and "not asked". */
const ALL = 0b1_1111_1010_0000
const NOT_ASKED = -(2 ** 31)

test('every version tells the nodes, the controller and the cluster', async () => {
  await using session = await KafkaSession.open({ brokers: 2, nodeId: 5, clusterId: 'abcdefghijklmnopqrstuv' })
  for (const version of versionsOf(describeCluster)) {
    const answer = await session.client.send(describeCluster, version)
    const brokers = session.server.bootstrapServers.map((server, i) => {
      const [host, port] = server.split(':')
      return { brokerId: 5 + i, host, port: Number(port), rack: null, isFenced: false }
    })
    expect(answer).toEqual({
      throttleTimeMs: 0,
      errorCode: 0,
      errorMessage: null,
      endpointType: 1,
      clusterId: 'abcdefghijklmnopqrstuv',
      controllerId: 5,
      brokers,
      clusterAuthorizedOperations: NOT_ASKED,
    })
  }
})

test('who asks is told that all operations are allowed', async () => {
  await using session = await KafkaSession.open()
  const answer = await session.client.send(describeCluster, 0, { includeClusterAuthorizedOperations: true })
  expect(answer.clusterAuthorizedOperations).toBe(ALL)
})

test('who asks for controllers, or for what there is not, is told so', async () => {
  await using session = await KafkaSession.open()
  for (const [endpointType, errorCode] of [
    [2, 114],
    [0, 115],
    [3, 115],
  ]) {
    const answer = await session.client.send(describeCluster, 2, { endpointType })
    expect(answer).toMatchObject({ endpointType, errorCode, brokers: [], controllerId: -1 })
    expect(answer.errorMessage).not.toBeNull()
  }
})
