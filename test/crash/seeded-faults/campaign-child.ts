/** A campaign in a process of its own: its name, a flush mode, and how many states to try from the first seed on. */
import { runSeed, seedOf } from '../campaigns/campaign.ts'
import { CAMPAIGNS } from '../campaigns/campaigns.ts'

const [campaign, mode, states] = process.argv.slice(2)
try {
  let tried = 0
  for (let number = 0; tried < Number(states); number++)
    tried += (await runSeed(CAMPAIGNS.get(campaign)!, seedOf(mode, number))).states
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
}
