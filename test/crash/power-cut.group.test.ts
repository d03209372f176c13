/** The same random runs each time, so that a change that breaks them is known at once. */
import { powerCut } from './campaigns/power-cut.ts'
import { campaignTests } from './campaigns/quota.ts'

campaignTests(powerCut, 'fixed', { group: 150_000 })
