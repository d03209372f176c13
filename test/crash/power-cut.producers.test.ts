/** Idempotent producers: what they send again after any power cut is neither doubled nor lost, and no id is theirs twice. */
import { producers } from './campaigns/power-cut.ts'
import { campaignTests } from './campaigns/quota.ts'

campaignTests(producers, 'fixed', { mixed: 1_000 })
campaignTests(producers, 'fresh', { group: 1_000, mixed: 1_000 })
