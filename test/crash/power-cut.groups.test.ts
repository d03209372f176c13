/** What consumer groups have committed, after a power cut. */
import { groups } from './campaigns/groups.ts'
import { campaignTests } from './campaigns/quota.ts'

campaignTests(groups, 'fixed', { each: 1500, group: 5000, window: 2500, os: 1500 })
campaignTests(groups, 'fresh', { each: 1500, group: 5000, window: 2500, os: 1500 })
