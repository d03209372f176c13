/**
 * docs/cli.md is true: its examples run as they stand, in order, and it names every command and option.
 */
import { spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, mkdirSync, copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import type { Command } from 'commander'
import { expect, onTestFinished, test } from 'vitest'
import { createProgram } from '../../src/cli/program.ts'
import { CLI_WORDS, EARTHQUAKES } from '../helpers/run-cli.ts'

const TEXT = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8')

// reason: the examples are those of a POSIX shell
test.skipIf(process.platform === 'win32')('every example runs, in order', { timeout: 180_000 }, async () => {
  const examples = [...TEXT.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, example]) => example)
  expect(examples.length).toBeGreaterThan(5)
  const directory = mkdtempSync(join(tmpdir(), 'varve-docs-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  mkdirSync(join(directory, 'data'))
  copyFileSync(EARTHQUAKES, join(directory, 'data', 'earthquakes.ndjson'))
  const words = [process.execPath, ...CLI_WORDS].map((word) => `'${word}'`).join(' ')
  mkdirSync(join(directory, 'bin'))
  writeFileSync(join(directory, 'bin', 'varve'), `#!/bin/sh\nexec ${words} "$@"\n`)
  chmodSync(join(directory, 'bin', 'varve'), 0o755)
  for (const example of examples) {
    const result = await runShell(example, directory)
    expect({ example, code: result.code, errors: result.stderr.match(/^varve: .*$/gm) }).toEqual({
      example,
      code: 0,
      errors: null,
    })
    expect(result.stdout + result.stderr).not.toBe('')
  }
})

test('every command and every option stands in the page', () => {
  const missing = commandsBelow(createProgram()).flatMap((command) => {
    const flags = command.options.map(({ flags: text }) => text)
    return [command.name(), ...flags].filter((name) => !TEXT.includes(name)).map((name) => `${command.name()}: ${name}`)
  })
  expect(missing).toEqual([])
})

function commandsBelow(command: Command): Command[] {
  return command.commands.flatMap((child) => [child, ...commandsBelow(child)])
}

function runShell(script: string, directory: string): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const { VARVE_DIRECTORY: _, ...env } = process.env
  const path = [join(directory, 'bin'), env.PATH].join(delimiter)
  const child = spawn('sh', ['-e', '-c', script], { cwd: directory, env: { ...env, PATH: path } })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, stdout, stderr })))
}
