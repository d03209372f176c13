import { existsSync } from 'node:fs'
import { partialOf } from '../engine/new-directory.ts'

const SIGNALS = { SIGINT: 2, SIGTERM: 15 } as const

/**
 * Lets a command end in order when it is interrupted: the first SIGINT (Ctrl-C) or SIGTERM aborts `signal`, a second one
 * ends the process as if nobody had listened.
 */
export class Interruption implements Disposable {
  private readonly controller = new AbortController()
  private caught: keyof typeof SIGNALS | null = null
  private readonly listener = (name: NodeJS.Signals) => {
    this.caught = name as keyof typeof SIGNALS
    this[Symbol.dispose]()
    this.controller.abort(new Error(`interrupted by ${name}`))
  }

  constructor() {
    for (const name of Object.keys(SIGNALS)) process.on(name, this.listener)
  }

  get signal(): AbortSignal {
    return this.controller.signal
  }

  /** Calls `listener` when the command is interrupted; at once where it was before. */
  onInterrupted(listener: () => void): void {
    if (this.signal.aborted) listener()
    else this.signal.addEventListener('abort', listener, { once: true })
  }

  /** 130 after Ctrl-C, 143 after SIGTERM, as a shell would say; null when nothing came. */
  get exitCode(): number | null {
    return this.caught === null ? null : 128 + SIGNALS[this.caught]
  }

  [Symbol.dispose](): void {
    for (const name of Object.keys(SIGNALS)) process.off(name, this.listener)
  }
}

/** What an interrupted command leaves of a new directory, for its last words. */
export function whatIsLeft(target: string): string {
  const partial = partialOf(target)
  return existsSync(partial) ? `'${partial}' is left, which the next one of this name takes away` : 'no copy is left'
}
