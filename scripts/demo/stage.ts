import { inkFor, reportColumns, wrap, type Ink } from '../../src/cli/comparison/ink.ts'

const INDENT = '   '

/** Something that the demonstration promises did not hold. */
export class BrokenPromise extends Error {
  override readonly name = 'BrokenPromise'
}

/** What the demonstration prints, on standard output: in colour where that is a terminal that shows colours. */
export class Stage {
  readonly ink: Ink = inkFor(process.stdout)
  readonly columns = reportColumns(process.stdout)
  private steps = 0

  title(name: string, what: string): void {
    console.log(`\n${this.ink('bold', this.ink('cyan', name))}  ${what}`)
  }

  /** Starts a step. */
  step(name: string, what: string): void {
    this.steps++
    console.log(`\n${this.ink('bold', `${this.steps}  ${name}`)}  ${what}`)
  }

  line(text = ''): void {
    console.log(text === '' ? '' : INDENT + text)
  }

  /** Says what has just been proved, or fails. */
  prove(holds: boolean, text: string): void {
    if (!holds) throw new BrokenPromise(`this does not hold: ${text}`)
    this.marked(this.ink('green', '✓'), text)
  }

  /** A line that stands out without being a proof. */
  note(text: string): void {
    this.marked(this.ink('yellow', '→'), text)
  }

  end(): void {
    console.log(`\n${this.ink('green', 'Everything held.')} The directory of this run is gone again.\n`)
  }

  failed(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error)
    console.log(`\n${this.ink('red', '✗ Failed:')} ${message}`)
    if (error instanceof Error && !(error instanceof BrokenPromise) && process.env.VARVE_DEBUG) console.log(error.stack)
  }

  private marked(mark: string, text: string): void {
    const lines = wrap(text, this.columns - INDENT.length - 2)
    lines.forEach((line, i) => this.line(`${i === 0 ? mark : ' '} ${line}`))
  }
}
