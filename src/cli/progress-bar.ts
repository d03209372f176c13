import { SingleBar } from 'cli-progress'

/** A bar on standard error, cleared when it stops. `etaBuffer`: how many updates the time left is reckoned from. */
export function progressBar(format: string, etaBuffer: number): SingleBar {
  return new SingleBar({
    format,
    barsize: 24,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    clearOnComplete: true,
    hideCursor: true,
    gracefulExit: false,
    etaBuffer,
    stream: process.stderr,
  })
}

/** One that says in `what` what is being done, and how much time is left. */
export function activityBar(etaBuffer: number): SingleBar {
  return progressBar('  {bar} {percentage}%  {what}  ({eta_formatted} left)', etaBuffer)
}
