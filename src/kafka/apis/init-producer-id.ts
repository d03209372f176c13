import { defineApi } from '../api.ts'
import { COORDINATOR_LOAD_IN_PROGRESS, INVALID_REQUEST, UNSUPPORTED_VERSION } from '../error-codes.ts'
import { mayPass } from '../group-calls.ts'
import { int16, int32, int64, nullableString } from '../protocol/schema.ts'

/**
 * Gives a producer the id under which its batches are told apart, so that none is appended twice: a new one each time, with
 * the epoch 0. One with a transactional id is refused: transactions are not served. Where no id can be had now it is
 * COORDINATOR_LOAD_IN_PROGRESS, as in Kafka: the one error at which a producer asks again and looks for no coordinator.
 */
export const initProducerId = defineApi({
  key: 22,
  name: 'InitProducerId',
  versions: [0, 5],
  flexibleSince: 2,
  request: {
    transactionalId: nullableString(),
    transactionTimeoutMs: int32(),
    producerId: int64({ since: 3, default: -1 }),
    producerEpoch: int16({ since: 3, default: -1 }),
  },
  response: {
    throttleTimeMs: int32(),
    errorCode: int16(),
    producerId: int64({ default: -1 }),
    producerEpoch: int16(),
  },
  async handle({ transactionalId, producerId, producerEpoch }, { broker: { engine } }) {
    // of both a transactional producer may have one that was fenced
    if ((producerId === NONE) !== (producerEpoch === NONE)) return refused(INVALID_REQUEST)
    if (transactionalId !== null) return refused(transactionalId === '' ? INVALID_REQUEST : UNSUPPORTED_VERSION)
    try {
      engine.throwIfNotWritable()
      return { throttleTimeMs: 0, errorCode: 0, producerId: await engine.producerIds.take(), producerEpoch: 0 }
    } catch (error) {
      if (!mayPass(error)) throw error
      return refused(COORDINATOR_LOAD_IN_PROGRESS)
    }
  },
  refuse: (_request, errorCode) => refused(errorCode),
})

/** "Has none yet", of a producer's id and of its epoch. */
const NONE = -1

function refused(errorCode: number) {
  return { throttleTimeMs: 0, errorCode, producerId: -1, producerEpoch: -1 }
}
