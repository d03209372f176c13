import { afterAll, describe, expect, test } from 'vitest'
import { freshNumber, runSeed, seedOf, type Campaign, type Tally } from './campaign.ts'

/**
 * A test for each flush mode that runs a campaign until it has tried so many states.
 *
 * `CRASH_SCALE` multiplies the numbers of states; `npm run crash` runs as many as wanted. A failure says how to repeat it.
 *
 * @param seeds `'fixed'`: the same runs each time, `'fresh'`: runs that nobody has seen
 * @param quota states to try, by flush mode
 */
export function campaignTests(campaign: Campaign, seeds: 'fixed' | 'fresh', quota: Record<string, number>): void {
  const first = seeds === 'fixed' ? 0 : freshNumber()
  const scale = Number(process.env['CRASH_SCALE'] ?? 1)
  const total: Tally = { states: 0, images: 0 }

  describe(`after a power cut, of ${campaign.name} runs with ${seeds} seeds`, () => {
    for (const [mode, states] of Object.entries(quota)) {
      test(`what was promised under ${mode} holds`, { timeout: 900_000 }, async () => {
        const tally: Tally = { states: 0, images: 0 }
        for (let number = first; tally.states < states * scale; number++) {
          const { states: tried, images } = await runSeed(campaign, seedOf(mode, number))
          tally.states += tried
          tally.images += images
        }
        total.states += tally.states
        total.images += tally.images
        expect(tally.images).toBeGreaterThan(0)
      })
    }
  })

  afterAll(() => {
    const { states, images } = total
    console.log(`${campaign.name}, ${seeds} seeds from ${first} on: ${states} states, ${images} disks that differ`)
  })
}
