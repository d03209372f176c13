import { createInterface } from 'node:readline/promises'
import { CliFailure, ExitCode, usageError } from './exit.ts'

/**
 * Makes sure that what cannot be undone may be done: `--yes` was given, or there is a terminal to ask on.
 *
 * @param what as in "deleting topic 'orders'"
 */
export function requireConfirmable(what: string, yes: boolean | undefined): void {
  if (!yes && !process.stdin.isTTY) {
    throw usageError(`${what} cannot be undone: add --yes to do it without being asked`)
  }
}

/** @throws CliFailure NOT_CONFIRMED unless the answer is a yes */
export async function confirm(question: string): Promise<void> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  const ended = new AbortController()
  terminal.on('close', () => ended.abort())
  try {
    const text = `${question} This cannot be undone. Type yes to delete it: `
    const answer = await terminal.question(text, { signal: ended.signal }).catch(() => '')
    if (/^y(es)?$/i.test(answer.trim())) return
  } finally {
    terminal.close()
  }
  throw new CliFailure(ExitCode.failed, 'NOT_CONFIRMED', 'nothing was deleted')
}
