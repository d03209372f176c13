/** Random runs that nobody has seen, each time others. */
import { powerCut } from './campaigns/power-cut.ts'
import { campaignTests } from './campaigns/quota.ts'

campaignTests(powerCut, 'fresh', { group: 150_000 })
