import type { LogEngine } from '../engine/log-engine.ts'
import type { TopicAdmin } from '../engine/topic-admin.ts'
import type { GroupCoordinator } from '../group/coordinator.ts'
import type { GroupAdmin } from './group-admin.ts'
import type { Varve } from './varve.ts'

/** What stands behind a log, for other doors to it: they share its topics and its groups. */
export interface VarveInternals {
  varve: Varve
  engine: LogEngine
  admin: TopicAdmin
  coordinator: GroupCoordinator
  groups: GroupAdmin
}

const internals = new WeakMap<Varve, VarveInternals>()

/** Called once for each log. */
export function keepInternals(own: VarveInternals): void {
  internals.set(own.varve, own)
}

/** @throws TypeError for what is no open log */
export function internalsOf(call: string, log: Varve): VarveInternals {
  const own = internals.get(log)
  if (own === undefined) throw new TypeError(`${call}: the log must be one that Varve.open has given`)
  return own
}
