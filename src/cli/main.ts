#!/usr/bin/env node
import { describeFailure, ExitCode } from './exit.ts'
import { endQuietlyWithoutReader, output, say } from './output.ts'
import { createProgram } from './program.ts'

endQuietlyWithoutReader()
try {
  await createProgram().parseAsync()
} catch (error) {
  const { exitCode, code, message, details } = describeFailure(error)
  process.exitCode = exitCode
  if (exitCode !== ExitCode.ok && message !== '') {
    say(`varve: ${message}`)
    if (wantsJson(process.argv)) void output.json({ error: { code, message, details } })
  }
  if (process.env.VARVE_DEBUG && error instanceof Error) say(error.stack ?? '')
}

/** Whether errors are to be told as JSON, too: known even where the command line makes no sense. */
function wantsJson(words: string[]): boolean {
  const end = words.indexOf('--')
  return words.slice(0, end < 0 ? undefined : end).includes('--json')
}
