/** The other flush modes, see power-cut.group.test.ts: some runs that are the same each time, and some that are not. */
import { powerCut } from './campaigns/power-cut.ts'
import { campaignTests } from './campaigns/quota.ts'

campaignTests(powerCut, 'fixed', { each: 10_000, window: 20_000, os: 10_000, mixed: 20_000 })
campaignTests(powerCut, 'fresh', { each: 10_000, window: 20_000, os: 10_000, mixed: 20_000 })
