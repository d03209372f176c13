/**
 * Cuts the power of simulated disks, as often as wanted, on all cores: `npm run crash -- --states 10000000`.
 *
 * Prints how many states were tried, and by how many disks that differ, each of which was opened. The first state that
 * breaks a promise ends it, with exit code 1 and the command that repeats that state alone.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { SingleBar } from 'cli-progress'
import { Command, InvalidArgumentError, Option } from 'commander'
import { freshNumber, MODES, runSeed, seedOf, type Tally } from '../test/crash/campaigns/campaign.ts'
import { CAMPAIGNS } from '../test/crash/campaigns/campaigns.ts'

interface Options {
  states: number
  campaign: string[]
  mode: string[]
  workers: number
  seed?: number
  state?: number
  first: number
}

/** What a worker is to do, and what it answers. */
interface Task {
  campaign: string
  seed: number
}
type Answer = { tally: Tally } | { failure: string }

const MAX_WORKERS = 2 * availableParallelism()
/** Seeds are uint32. */
const MAX_SEED = 2 ** 32 - 1
/** Leaves room for the seeds of some 300 million runs in each mode. */
const MAX_FIRST = 2 ** 29

/** Reads a whole number from `least` to `most`; 1_000 is 1000. */
function count(least: number, most = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const number = /^\d[\d_]*$/.test(text) ? Number(text.replaceAll('_', '')) : NaN
    if (number >= least && number <= most) return number
    const range = most === Number.MAX_SAFE_INTEGER ? `${least} or more` : `from ${least} to ${most}`
    throw new InvalidArgumentError(`It must be a whole number, ${range}.`)
  }
}

const campaignOption = new Option('--campaign <names...>', 'what is taken apart')
const modeOption = new Option('--mode <names...>', 'flush modes')
const seedOption = new Option('--seed <n>', `repeat the run of this seed, 0 to ${MAX_SEED}; takes one --campaign`)
const command = new Command('crash')
  .description('Cut the power of simulated disks, and hold what is left to what was promised.')
  .option('--states <n>', 'states to try, 1 or more', count(1), 100_000)
  .addOption(campaignOption.choices([...CAMPAIGNS.keys()]).default([...CAMPAIGNS.keys()]))
  .addOption(modeOption.choices([...MODES.keys()]).default([...MODES.keys()]))
  .option('--workers <n>', `processes, 1 to ${MAX_WORKERS}`, count(1, MAX_WORKERS), availableParallelism())
  .option(
    '--first <n>',
    `number of the first run, 0 to ${MAX_FIRST}; by default any`,
    count(0, MAX_FIRST),
    freshNumber(),
  )
  .addOption(seedOption.argParser(count(0, MAX_SEED)).conflicts(['states', 'mode', 'workers', 'first']))
  .option('--state <n>', 'repeat only this state of it, 1 or more', count(1))
  .allowExcessArguments(false)

if (process.send !== undefined) work()
else {
  const options = command.parse().opts<Options>()
  const { seed, state, campaign } = options
  if (state !== undefined && seed === undefined) command.error('error: --state is one of a run: name that with --seed')
  if (seed !== undefined && campaign.length !== 1) command.error('error: --seed is of one run: name one --campaign')
  process.exitCode = options.seed === undefined ? await search(options) : await repeat(options, options.seed)
}

/** A worker: takes runs apart until it is told to stop. */
function work(): void {
  process.on('message', ({ campaign, seed }: Task) => {
    runSeed(CAMPAIGNS.get(campaign)!, seed).then(
      (tally) => process.send!({ tally } satisfies Answer),
      (error: Error) => process.send!({ failure: error.message } satisfies Answer),
    )
  })
}

async function repeat({ campaign, state }: Options, seed: number): Promise<number> {
  const [name] = campaign
  try {
    const { states } = await runSeed(CAMPAIGNS.get(name)!, seed, state)
    if (states === 0) {
      console.error(`there is no such state: ${name}, seed ${seed}${state === undefined ? '' : `, state ${state}`}`)
      return 1
    }
    console.log(`${name}, seed ${seed}: ${states} states, every promise held`)
    return 0
  } catch (error) {
    console.error((error as Error).stack)
    const { cause } = error as Error
    if (cause instanceof Error) console.error(cause.stack)
    return 1
  }
}

async function search({ states, campaign, mode, workers, first }: Options): Promise<number> {
  const started = performance.now()
  const tally: Tally = { states: 0, images: 0 }
  const bar = new SingleBar({
    format: '{bar} {value} of {total} states, {images} disks, {eta_formatted} left',
    noTTYOutput: true,
    notTTYSchedule: 60_000,
  })
  const pairs = campaign.flatMap((name) => mode.map((one) => [name, one] as const))
  let next = 0
  const takeTask = (): Task => {
    const [name, one] = pairs[next % pairs.length]
    return { campaign: name, seed: seedOf(one, first + Math.floor(next++ / pairs.length)) }
  }
  bar.start(states, 0, { images: 0 })
  const failure = await new Promise<string | null>((resolve) => {
    const children = Array.from({ length: workers }, () => fork(fileURLToPath(import.meta.url)))
    const end = (reason: string | null) => {
      for (const child of children) child.removeAllListeners().kill()
      resolve(reason)
    }
    const give = (child: ChildProcess) => {
      const task = takeTask()
      const answered = (answer: Answer) => {
        child.off('exit', ended)
        if ('failure' in answer) return end(answer.failure)
        tally.states += answer.tally.states
        tally.images += answer.tally.images
        bar.update(Math.min(tally.states, states), { images: tally.images })
        return tally.states >= states ? end(null) : give(child)
      }
      const ended = () => end(`a worker ended; repeat with --campaign ${task.campaign} --seed ${task.seed}`)
      child.once('message', answered).once('exit', ended)
      child.send(task)
    }
    children.forEach(give)
  })
  bar.stop()
  const seconds = Math.round((performance.now() - started) / 1000)
  const last = first + Math.floor(next / pairs.length)
  const done = `${tally.states} states, ${tally.images} disks that differ, runs ${first} to ${last}`
  if (failure !== null) console.error(failure)
  console.log(`${done}, ${seconds} s: ${failure === null ? 'every promise held' : 'a promise was broken'}`)
  return failure === null ? 0 : 1
}
