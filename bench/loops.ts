import { Observation } from './observation.ts'
import type { Sample, Scale } from './workload.ts'

/** What passes at each step of a loop. */
export interface Step {
  recordBytes: number
  /** Records of one step; 1 by default. */
  records?: number
}

const WARM_UP_STEPS = 3
/** Those of many workers that take the time of their calls; all would slow what they measure. */
const TIMED_WORKERS = 16

/** Calls `step` again and again until the time is over, one call at a time. */
export async function repeatFor(
  { seconds, bytesMax }: Scale,
  { recordBytes, records = 1 }: Step,
  step: (i: number) => Promise<unknown> | void,
): Promise<Sample> {
  for (let i = 0; i < WARM_UP_STEPS; i++) await step(i)
  const stepsMax = Math.ceil(bytesMax / (records * recordBytes))
  const observation = new Observation()
  const end = observation.startMs + seconds * 1000
  let steps = 0
  for (let before = observation.startMs; before < end && steps < stepsMax;) {
    const pending = step(steps++)
    if (pending !== undefined) await pending
    const now = performance.now()
    observation.called(now - before)
    before = now
  }
  return observation.stop(steps * records, recordBytes)
}

/** Keeps `inFlight` calls of one record each going until the time is over. */
export async function inFlightFor(
  { seconds, bytesMax }: Scale,
  { recordBytes, inFlight }: { recordBytes: number; inFlight: number },
  call: (i: number) => Promise<unknown>,
): Promise<Sample> {
  const callsMax = Math.ceil(bytesMax / recordBytes)
  const observation = new Observation()
  const end = observation.startMs + seconds * 1000
  let calls = 0
  const worker = async (): Promise<void> => {
    while (performance.now() < end && calls < callsMax) await call(calls++)
  }
  const timedWorker = async (): Promise<void> => {
    for (let before = observation.startMs; before < end && calls < callsMax;) {
      await call(calls++)
      const now = performance.now()
      observation.called(now - before)
      before = now
    }
  }
  await Promise.all(Array.from({ length: inFlight }, (_, i) => (i < TIMED_WORKERS ? timedWorker() : worker())))
  return observation.stop(calls, recordBytes)
}

/** Times one pass over all records; `pass` returns how many it saw. */
export async function passOver(
  { records, recordBytes }: { records: number; recordBytes: number },
  pass: () => Promise<number>,
): Promise<Sample> {
  const observation = new Observation()
  const count = await pass()
  const sample = observation.stop(records, recordBytes)
  if (count !== records) throw new Error(`read ${count} of ${records} records`)
  return sample
}
