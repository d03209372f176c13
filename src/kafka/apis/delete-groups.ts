import { defineApi } from '../api.ts'
import { groupFailure } from '../group-calls.ts'
import { array, int16, int32, list, string } from '../protocol/schema.ts'

/** Deletes groups that have no members, with their offsets. */
export const deleteGroups = defineApi({
  key: 42,
  name: 'DeleteGroups',
  versions: [0, 2],
  flexibleSince: 2,
  request: {
    groupsNames: array(string()),
  },
  response: {
    throttleTimeMs: int32(),
    results: list({ groupId: string(), errorCode: int16() }),
  },
  async handle({ groupsNames }, call) {
    const results = []
    for (const groupId of new Set(groupsNames)) {
      const deleted = call.broker.log.groups.delete(groupId).then(
        () => 0,
        (error: unknown) => groupFailure(call, error),
      )
      results.push({ groupId, errorCode: await deleted })
    }
    return { throttleTimeMs: 0, results }
  },
  refuse: ({ groupsNames }, errorCode) => ({
    throttleTimeMs: 0,
    results: groupsNames.map((groupId) => ({ groupId, errorCode })),
  }),
})
