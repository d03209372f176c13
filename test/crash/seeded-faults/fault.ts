/** A fault that the suite must find: one edit of one source file, as a peer has shipped it or somebody here might. */
export interface SeededFault {
  /** Names it for good: a few words, hyphened. */
  id: string
  /** What is wrong, in one line. */
  what: string
  /** The bug of a peer, or the rule of docs/durability.md, that it stands for. */
  standsFor: string
  /** From the project's root. */
  file: string
  /** Stands in the file exactly once. */
  find: string
  replace: string
  /** What is to find it, tried in turn until one does. */
  hunts: readonly Hunt[]
}

/** A way to look for a fault: states of a crash campaign, from its first seed on, or a test. */
export type Hunt = CampaignHunt | TestHunt

/** See `npm run crash -- --help`. */
export interface CampaignHunt {
  campaign: string
  mode: string
  /** States to try at most, or a few more: a run is not left half way. */
  states: number
}

/** All tests of a file, or those whose name has `name` in it. */
export interface TestHunt {
  test: string
  name?: string
}

/** Power cuts in random runs of a log whose topics use this flush mode. */
export function powerCuts(mode: string, states = 10_000): CampaignHunt {
  return { campaign: 'power-cut', mode, states }
}

/** Power cuts in recoveries from power cuts, three deep. */
export function nestedCuts(mode: string, states = 10_000): CampaignHunt {
  return { campaign: 'recovery', mode, states }
}

/** Power cuts in random runs in which idempotent producers send batches. */
export function producerCuts(mode: string, states = 10_000): CampaignHunt {
  return { campaign: 'producers', mode, states }
}

/** Power cuts in random runs of consumer groups. */
export function groupCuts(mode: string, states = 5_000): CampaignHunt {
  return { campaign: 'groups', mode, states }
}

/** A test by its file below test/, without `.test.ts`. */
export function testOf(file: string, name?: string): TestHunt {
  return name === undefined ? { test: `test/${file}.test.ts` } : { test: `test/${file}.test.ts`, name }
}
