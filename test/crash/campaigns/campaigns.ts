import type { Campaign } from './campaign.ts'
import { groups } from './groups.ts'
import { orders } from './orders.ts'
import { powerCut, producers } from './power-cut.ts'
import { recovery } from './recovery.ts'

/** By name. */
export const CAMPAIGNS: ReadonlyMap<string, Campaign> = new Map(
  [powerCut, producers, orders, recovery, groups].map((campaign) => [campaign.name, campaign]),
)
