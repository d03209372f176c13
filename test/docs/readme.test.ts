import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const root = new URL('../..', import.meta.url).pathname
const run = promisify(execFile)

/** The blocks of one language in README.md, in order. */
async function blocks(language: string): Promise<string[]> {
  const page = await readFile(join(root, 'README.md'), 'utf8')
  return [...page.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g'))].map((match) => match[1])
}

/** Runs JavaScript as a program of its own, with `varve` being the sources here. */
async function runProgram(source: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'varve-readme-'))
  try {
    const program = join(directory, 'program.mjs')
    await writeFile(program, source.replaceAll("'varve'", `'${root}src/index.ts'`))
    const tsx = new URL(import.meta.resolve('tsx')).href
    const { stdout } = await run(process.execPath, ['--import', tsx, program], { cwd: directory, timeout: 30_000 })
    return stdout
  } finally {
    await rm(directory, { recursive: true })
  }
}

test('the first program of the README runs as it is printed', async () => {
  const [program] = await blocks('js')
  const output = await runProgram(program)
  expect(output).toMatch(/^stored at orders-[0-3], offset 0\b/m)
  expect(output).toMatch(/cust-881 \{ total: 89\.99 \}/)
})

test('every line of the README\'s "More" does what its comment says', async () => {
  const [, more] = await blocks('js')
  const output = await runProgram(`
    import { Varve } from 'varve'
    import { cp } from 'node:fs/promises'
    const log = await Varve.open({ directory: './events' })
    await log.createTopic({ name: 'orders' })
    const record = { key: 'a', value: 1 }
    const records = Array.from({ length: 42 }, () => record)
    const { signal } = AbortSignal.timeout(1)
    await cp('./events/orders-0', './events/clicks-0', { recursive: true })
    ${more}
    console.log(log.offsets('orders')[0].logEndOffset, (await log.listTopics()).map((topic) => topic.name).join())
    await log.close()
  `)
  expect(output.trim()).toBe('43 audit,clicks,orders,settings')
})
