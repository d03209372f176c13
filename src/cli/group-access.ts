import type { Varve } from '../client/varve.ts'
import { VarveError } from '../errors.ts'
import { withLog, type Access } from './log-access.ts'
import { CliFailure, ExitCode, usageError } from './exit.ts'
import { safeText } from './values.ts'

const NAMED_MAX = 8

/**
 * Opens a log for what is done to a group.
 *
 * @param advice what to do where there is no such group, beside looking at the ones there are
 * @throws CliFailure GROUP_ID_NOT_FOUND, naming the groups there are
 */
export async function withGroup<T>(
  { directory, groupId, access, advice = '' }: GroupAccess,
  action: (log: Varve) => Promise<T>,
): Promise<T> {
  if (groupId === '') throw usageError("the group's id is empty")
  return withLog(directory, access, async (log) => {
    try {
      return await action(log)
    } catch (error) {
      if (!(error instanceof VarveError) || error.code !== 'GROUP_ID_NOT_FOUND') throw error
      const groups = await log.listGroups()
      const names = groups.slice(0, NAMED_MAX).map((group) => safeText(group.groupId))
      if (groups.length > names.length) names.push('...')
      const known = names.length === 0 ? 'there is none' : `groups there: ${names.join(', ')}`
      const message = `there is no group '${safeText(groupId)}' in '${log.directory}' (${known})${advice}`
      throw new CliFailure(ExitCode.missing, error.code, message, { group: groupId })
    }
  })
}

interface GroupAccess {
  directory: string
  groupId: string
  access: Access
  advice?: string
}
