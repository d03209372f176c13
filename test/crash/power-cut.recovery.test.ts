/** The power goes during the recovery from a power cut, three deep. */
import { recovery } from './campaigns/recovery.ts'
import { campaignTests } from './campaigns/quota.ts'

campaignTests(recovery, 'fixed', { each: 5000, group: 20_000, window: 10_000, os: 5000, mixed: 10_000 })
campaignTests(recovery, 'fresh', { each: 5000, group: 20_000, window: 10_000, os: 5000, mixed: 10_000 })
