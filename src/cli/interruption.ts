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

  /** 130 after Ctrl-C, 143 after SIGTERM, as a shell would say; null when nothing came. */
  get exitCode(): number | null {
    return this.caught === null ? null : 128 + SIGNALS[this.caught]
  }

  [Symbol.dispose](): void {
    for (const name of Object.keys(SIGNALS)) process.off(name, this.listener)
  }
}
