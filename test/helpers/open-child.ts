/**
 * A process that opens a log when it is told to: `node --import tsx open-child.ts <directory>`.
 *
 * Prints "ready". Then reads lines: "open <delay in microseconds>" prints an {@link OpenReport} as JSON, "close" closes
 * the log and prints "closed".
 */
import { createInterface } from 'node:readline'
import { Varve } from '../../src/client/varve.ts'

export interface OpenReport {
  pid: number
  opened: boolean
  code?: string
  message?: string
  /** How long the call took, ms. */
  ms: number
}

const directory = process.argv[2]
let log: Varve | null = null
console.log('ready')
for await (const line of createInterface({ input: process.stdin })) {
  const [command, delay] = line.split(' ')
  if (command === 'close') {
    await log?.close()
    log = null
    console.log('closed')
    continue
  }
  const begin = process.hrtime.bigint() + BigInt(delay) * 1000n
  while (process.hrtime.bigint() < begin);
  const startedMs = performance.now()
  const report: OpenReport = { pid: process.pid, opened: true, ms: 0 }
  try {
    log = await Varve.open({ directory })
  } catch (error) {
    const { code, message } = error as Error & { code: string }
    Object.assign(report, { opened: false, code, message })
  }
  console.log(JSON.stringify({ ...report, ms: performance.now() - startedMs }))
}
