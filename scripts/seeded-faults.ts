/**
 * Makes faults in a copy of the sources, one at a time, and has the suite find them: `npm run seeded-faults`.
 *
 * Writes what found each of them to docs/seeded-faults.md. Ends with exit code 1 where one is not found, or where a hunt
 * finds something in the sources as they are.
 */
import { Command, InvalidArgumentError } from 'commander'
import type { Hunt, SeededFault } from '../test/crash/seeded-faults/fault.ts'
import { FAULTS } from '../test/crash/seeded-faults/faults.ts'
import { writeTable } from '../test/crash/seeded-faults/table.ts'
import { Workshop, type Outcome } from '../test/crash/seeded-faults/workshop.ts'

interface Options {
  only?: string[]
  control: boolean
  atOnce: number
}

function count(text: string): number {
  const number = Number(text)
  if (!Number.isSafeInteger(number) || number < 1) throw new InvalidArgumentError('must be a whole number, 1 or more')
  return number
}

const { only, control, atOnce } = new Command('seeded-faults')
  .description('Make faults in a copy of the sources, one at a time, and see that the suite finds them.')
  .option('--only <ids...>', 'faults to make; by default all')
  .option('--no-control', 'do not look first whether all holds without a fault')
  .option('--at-once <n>', 'faults to hunt at the same time, each in a copy of its own', count, 1)
  .parse()
  .opts<Options>()

const unknown = (only ?? []).filter((id) => FAULTS.every((fault) => fault.id !== id))
if (unknown.length > 0) throw new Error(`there is no fault ${unknown.join()}: ${FAULTS.map(({ id }) => id).join()}`)
process.exitCode = await run(FAULTS.filter(({ id }) => only === undefined || only.includes(id)))

async function run(faults: readonly SeededFault[]): Promise<number> {
  const workshops = Array.from({ length: Math.min(atOnce, faults.length) }, () => new Workshop())
  const closeAll = () => workshops.forEach((workshop) => workshop.close())
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      closeAll()
      process.exit(1)
    })
  }
  const found = new Map<string, Outcome>()
  let writing = Promise.resolve()
  try {
    const hunts = new Map(faults.flatMap((fault) => fault.hunts).map((hunt) => [JSON.stringify(hunt), hunt]))
    const failed: string[] = []
    await share(workshops, control ? [...hunts.values()] : [], async (workshop, hunt) => {
      const { result, message } = await workshop.hunt([hunt])
      if (result !== 'held') failed.push(`without a fault, ${nameOf(hunt)} ${result}: ${message}`)
    })
    for (const line of failed) console.error(line)
    if (failed.length > 0) return 1
    await share(workshops, faults, async (workshop, fault) => {
      const outcome = await workshop.hunt(fault.hunts, fault)
      found.set(fault.id, outcome)
      writing = writing.then(() => writeTable(found))
      await writing
      const { result, by, message, seconds } = outcome
      console.log(`${fault.id}: ${result} in ${seconds} s ${by}${message === '' ? '' : ` (${message})`}`)
    })
  } finally {
    closeAll()
  }
  const survivors = [...found].filter(([, { result }]) => result !== 'caught').map(([id]) => id)
  console.log(
    `${found.size - survivors.length} of ${found.size} caught${survivors.map((id) => `\nnot caught: ${id}`).join('')}`,
  )
  return survivors.length === 0 ? 0 : 1
}

/** Does something with each item, as many at a time as there are workshops. */
async function share<T>(
  workshops: readonly Workshop[],
  items: readonly T[],
  action: (workshop: Workshop, item: T) => Promise<void>,
): Promise<void> {
  let next = 0
  const work = async (workshop: Workshop) => {
    while (next < items.length) await action(workshop, items[next++])
  }
  await Promise.all(workshops.map(work))
}

function nameOf(hunt: Hunt): string {
  return 'test' in hunt ? `${hunt.test} ${hunt.name ?? ''}` : `${hunt.campaign} ${hunt.mode}`
}
