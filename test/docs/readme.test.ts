import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runProgram } from '../helpers/run-program.ts'

const root = new URL('../..', import.meta.url).pathname

/** The blocks of one language in README.md, in order. */
async function blocks(language: string): Promise<string[]> {
  const page = await readFile(join(root, 'README.md'), 'utf8')
  return [...page.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g'))].map((match) => match[1])
}

test('the first program of the README runs as it is printed', async () => {
  const [program] = await blocks('js')
  const output = await runProgram(program)
  expect(output).toMatch(/^stored at orders-[0-3], offset 0\b/m)
  expect(output).toMatch(/cust-881 \{ total: 89\.99 \}/)
})

test('the consumer of the README commits what its handler is done with', async () => {
  const [, consuming] = await blocks('js')
  const output = await runProgram(`
    import { Varve } from 'varve'
    const log = await Varve.open({ directory: './events' })
    await log.createTopic({ name: 'orders' })
    await log.append('orders', { key: 'cust-881', value: { total: 89.99 } })
    async function charge(key, total) {
      console.log('charge', key, total)
      void consumer.close()
    }
    ${consuming}
    console.log(await log.lag('billing'))
    await log.close()
  `)
  expect(output).toMatch(/^charge cust-881 89\.99\n[^]*committed: 1, end: 1, lag: 0/)
})

test('a log of the README can be served to Kafka clients', async () => {
  const [, , kafka] = await blocks('js')
  const output = await runProgram(`
    import { Varve } from 'varve'
    const log = await Varve.open({ directory: './events' })
    ${kafka}
    console.log(server.bootstrapServers.length, kafka.bootstrapServers.length)
    await kafka.close()
    await server.close()
    await log.close()
  `)
  expect(output).toBe('1 1\n')
})

test('every line of the README\'s "More" does what its comment says', async () => {
  const [, , , more] = await blocks('js')
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
