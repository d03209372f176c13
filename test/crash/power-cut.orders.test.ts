/** Every order of up to three operations across files. */
import { orders } from './campaigns/orders.ts'
import { campaignTests } from './campaigns/quota.ts'

campaignTests(orders, 'fixed', { each: 5000, group: 20_000, window: 10_000, os: 5000, mixed: 20_000 })
