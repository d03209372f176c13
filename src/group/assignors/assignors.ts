import type { Assignor } from './assignor.ts'
import { cooperativeSticky } from './cooperative-sticky.ts'
import { range } from './range.ts'
import { roundRobin } from './round-robin.ts'
import { sticky } from './sticky.ts'

/** The names of all assignors, as they stand in the protocol. */
export const assignorNames = ['range', 'roundrobin', 'sticky', 'cooperative-sticky'] as const

/** How the partitions of a group's topics may be divided among its members: Kafka's assignors by name. */
export type AssignorName = (typeof assignorNames)[number]

/** All assignors by name. */
export const assignors: Readonly<Record<AssignorName, Assignor>> = {
  range,
  roundrobin: roundRobin,
  sticky,
  'cooperative-sticky': cooperativeSticky,
}
