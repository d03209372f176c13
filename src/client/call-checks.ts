import { groupId, show } from '../options.ts'

/** @throws TypeError for what is no group's id */
export function checkGroupId(call: string, id: unknown): void {
  const fault = groupId(id)
  if (fault !== null) throw new TypeError(`${call}: the group's id ${fault}, not ${show(id)}`)
}

/** Whether there is a name that could be one: whatever else is wrong is for others to say. */
export function isNamed(options: unknown): options is { name: string } {
  return typeof (options as { name?: unknown } | null)?.name === 'string'
}

/** @throws TypeError for what is no name */
export function checkName(call: string, name: unknown): void {
  if (typeof name !== 'string') throw new TypeError(`${call}: the topic's name must be a string, not ${show(name)}`)
}
