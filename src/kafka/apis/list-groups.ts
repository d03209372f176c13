import { defineApi } from '../api.ts'
import { groupFailure } from '../group-calls.ts'
import { array, int16, int32, list, string } from '../protocol/schema.ts'

/** What Kafka calls groups of the first protocol, and of the newer one. */
const [CLASSIC, CONSUMER] = ['classic', 'consumer']

/** The groups that a node coordinates, all or those in certain states or of certain types. */
export const listGroups = defineApi({
  key: 16,
  name: 'ListGroups',
  versions: [0, 5],
  flexibleSince: 3,
  request: {
    statesFilter: array(string(), { since: 4 }),
    typesFilter: array(string(), { since: 5 }),
  },
  response: {
    throttleTimeMs: int32({ since: 1 }),
    errorCode: int16(),
    groups: list({
      groupId: string(),
      protocolType: string(),
      groupState: string({ since: 4 }),
      groupType: string({ since: 5 }),
    }),
  },
  async handle({ statesFilter, typesFilter }, call) {
    const { broker, nodeId } = call
    const answer = { throttleTimeMs: 0, errorCode: 0, groups: [] }
    const states = new Set(statesFilter.map((state) => state.toLowerCase()))
    const types = new Set(typesFilter.map((type) => type.toLowerCase()))
    // clients put together what all nodes tell
    if (nodeId !== broker.nodes[0].nodeId) return answer
    try {
      const all = await broker.log.groups.lookAtAll()
      const listed = all.map(({ groupId, state, snapshot, modern }) => ({
        groupId,
        protocolType: snapshot.protocolType ?? '',
        groupState: state,
        groupType: modern === undefined ? CLASSIC : CONSUMER,
      }))
      const isAsked = (filter: ReadonlySet<string>, value: string) =>
        filter.size === 0 || filter.has(value.toLowerCase())
      const groups = listed.filter((one) => isAsked(states, one.groupState) && isAsked(types, one.groupType))
      return { ...answer, groups }
    } catch (error) {
      return { ...answer, errorCode: groupFailure(call, error) }
    }
  },
  refuse: (_request, errorCode) => ({ throttleTimeMs: 0, errorCode, groups: [] }),
})
