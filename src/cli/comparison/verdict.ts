import { countOf, formatBytes, formatSeconds } from '../units.ts'
import { formatMicroseconds, formatPercent, formatShort } from './figures.ts'
import { MANY } from './loads.ts'
import type { Comparison, LoadSummary } from './summary.ts'

/** Rates that differ by less than this are a tie. */
const TIE = 0.07

/** What the figures mean on this disk, in plain sentences. */
export function verdict(comparison: Comparison): string[] {
  const { loads, syncUs } = comparison
  const find = (name: string, inFlight: number) =>
    loads.find((load) => load.name === name && load.inFlight === inFlight)!
  const [groupOne, groupMany, osMany] = [find('group', 1), find('group', MANY), find('os', MANY)]
  return [
    `On this disk a sync takes ${formatMicroseconds(syncUs.p50)} (p99 ${formatMicroseconds(syncUs.p99)}), ` +
      `so a program that waits for every record gets ${rate(groupOne)} records/s.`,
    groupAgainstOs(groupMany, osMany),
    windowAgainstGroup(find('window 10 ms', 1), groupOne),
    `'os' bounds nothing: its worst run had ${records(osMany)} at risk.`,
  ]
}

/** The rule of thumb that follows, whatever the disk. */
export const ADVICE =
  "So: keep 'group' and let appends run side by side; take a window where one at a time has to be fast " +
  'and its last milliseconds may go.'

function groupAgainstOs(group: LoadSummary, os: LoadSummary): string {
  const share = group.recordsPerSecond.median / os.recordsPerSecond.median
  const who = `'group' with ${MANY} in flight`
  if (share > 1 - TIE) return `${who} does ${rate(group)} records/s, as fast as 'os', and loses nothing.`
  const cost = `it costs ${formatPercent(1 - share)} of the speed of 'os' (${rate(os)}) and loses nothing`
  return `${who} does ${rate(group)} records/s: ${cost}.`
}

function windowAgainstGroup(window: LoadSummary, group: LoadSummary): string {
  const times = window.recordsPerSecond.median / group.recordsPerSecond.median
  const gain =
    times < 1 + TIE ? 'gains nothing over' : `is ${times < 10 ? times.toFixed(1) : times.toFixed(0)} times as fast as`
  const cost =
    `a power cut at the worst moment would have cost ${formatMicroseconds(window.loss.ms * 1000)} of work, ` +
    `${records(window)}`
  return `A window of 10 ms, one record at a time, ${gain} 'group' (${rate(window)} records/s), and ${cost}.`
}

function rate({ recordsPerSecond }: LoadSummary): string {
  return formatShort(recordsPerSecond.median)
}

function records({ loss }: LoadSummary): string {
  return `${countOf(loss.records, 'record')} or ${formatBytes(loss.bytes)}`
}

/** Says how long it took and where, for the head of a report. */
export function describeRun({ seconds, rounds, directory }: Comparison): string {
  return `${countOf(rounds, 'round')} in ${formatSeconds(seconds)} on the disk of '${directory}'`
}
