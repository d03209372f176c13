import { expect, test } from 'vitest'
import { outputWith, runCli, startCli, temporaryDirectory, varve } from '../helpers/run-cli.ts'
import manifest from '../../package.json' with { type: 'json' }

const COMMANDS = [
  ['topic', 'create'],
  ['topic', 'list'],
  ['topic', 'describe'],
  ['topic', 'alter'],
  ['topic', 'delete'],
  ['topic', 'adopt'],
  ['group', 'list'],
  ['group', 'describe'],
  ['group', 'reset'],
  ['group', 'delete'],
  ['append'],
  ['read'],
  ['replay'],
  ['dump'],
  ['verify'],
  ['bench'],
]

test('--version prints the version of the package', async () => {
  expect(await runCli(['--version'])).toEqual({ code: 0, stdout: `${manifest.version}\n`, stderr: '' })
})

test('--help of every command has examples, fits 80 columns and ends with 0', async () => {
  const helps = await Promise.all([['topic'], ['group'], [], ...COMMANDS].map((words) => runCli([...words, '--help'])))
  for (const { code, stdout, stderr } of helps) {
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^Usage: varve/)
    expect(stdout).toMatch(/\nExamples:\n(  .*\n)*  varve /)
    expect(stdout.split('\n').filter((line) => line.length > 80 && !line.startsWith('  varve'))).toEqual([])
  }
})

test('--help documents the exit codes', async () => {
  const { stdout } = await runCli(['--help'])
  for (const code of [0, 1, 2, 3, 130]) expect(stdout).toMatch(new RegExp(`^  ${code} `, 'm'))
})

test('no command, and half a command, print the help and end with 2', async () => {
  for (const words of [[], ['topic'], ['group']]) {
    const { code, stdout, stderr } = await runCli(words)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^Usage: varve/)
    expect(stderr).not.toContain('varve: ')
  }
})

test('a mistyped command ends with 2 and the command that was meant, in one line', async () => {
  expect(await runCli(['topik'])).toEqual({
    code: 2,
    stdout: '',
    stderr: "varve: unknown command 'topik' (Did you mean topic?)\n",
  })
  expect((await runCli(['topic', 'creat', 'x'])).stderr).toBe("varve: unknown command 'creat' (Did you mean create?)\n")
})

test('a mistyped option ends with 2 and the option that was meant', async () => {
  const { code, stderr } = await runCli(['read', 'orders', '--folow'])
  expect({ code, stderr }).toEqual({ code: 2, stderr: "varve: unknown option '--folow' (Did you mean --follow?)\n" })
})

test('with --json a failure is one JSON document on standard output as well as a line on standard error', async () => {
  const { code, stdout, stderr } = await runCli(['read', 'orders', '--json', '--max', 'many'])
  expect(code).toBe(2)
  const { error } = JSON.parse(stdout) as { error: { code: string; message: string; details: object } }
  expect(error).toMatchObject({ code: 'USAGE', details: {} })
  expect(stderr).toBe(`varve: ${error.message}\n`)
})

test('the directory is -d, else VARVE_DIRECTORY, else ./events', async () => {
  const directory = temporaryDirectory()
  await varve(['topic', 'create', 'orders', '-d', directory])
  const parent = directory.replace(/\/events$/, '')
  expect(await varve(['topic', 'list'], { cwd: parent })).toMatch(/^orders\t/)
  expect(await varve(['topic', 'list'], { env: { VARVE_DIRECTORY: directory } })).toMatch(/^orders\t/)
  const { code } = await runCli(['topic', 'list', '-d', `${directory}-2`], { env: { VARVE_DIRECTORY: directory } })
  expect(code).toBe(3)
})

test('where there is no log every command that needs one ends with 3, says so and makes none', async () => {
  const directory = temporaryDirectory()
  const commands = [
    ['read', 't'],
    ['replay', 't'],
    ['append', 't'],
    ['topic', 'list'],
    ['topic', 'describe', 't'],
    ['topic', 'alter', 't', '-p', '2'],
  ]
  const results = await Promise.all(commands.map((words) => runCli([...words, '-d', directory])))
  for (const { code, stderr } of results) {
    expect({ code, stderr }).toEqual({
      code: 3,
      stderr: expect.stringContaining(`varve: there is no log in '${directory}': `),
    })
    expect(stderr.split('\n')).toHaveLength(2)
  }
  expect((await runCli(['verify', directory])).stderr).toBe(`varve: there is no directory '${directory}'\n`)
})

test('a directory that is a file is named as such', async () => {
  const { code, stderr } = await runCli(['read', 't', '-d', process.execPath])
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/^varve: .*is not a directory.*\n$/) })
})

test('a reader that goes away ends the command with 0 and in silence', async () => {
  const directory = temporaryDirectory()
  const lines = Array.from({ length: 50_000 }, (_, i) => `line ${i}`).join('\n')
  await varve(['append', 'lines', '--create', '-d', directory], { input: lines })
  for (const words of [
    ['read', 'lines'],
    ['read', 'lines', '--json'],
    ['replay', 'lines'],
  ]) {
    const child = startCli([...words, '-d', directory])
    let stderr = ''
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
    await outputWith(child, 'line 0')
    child.stdout.destroy()
    const code = await new Promise((resolve) => child.on('close', resolve))
    expect({ words, code, stderr }).toEqual({ words, code: 0, stderr: '' })
  }
})
