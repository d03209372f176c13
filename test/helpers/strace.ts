import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Every call that changes what is on the disk, or makes it durable. */
const WRITE_CALLS =
  'write,writev,pwrite64,pwritev,pwritev2,fsync,fdatasync,ftruncate,truncate,openat,' +
  'rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat,link,linkat'

/** One system call of a run that makes the same ones each time: the n-th of that name that concerns that path. */
export interface SystemCall {
  name: string
  /** Relative to the run's root where it is below that. */
  path: string
  /** From 1; 0 stands for all of them. */
  nth: number
}

/** How a process ended. */
export interface Ending {
  signal: string | null
  code: number | null
  stdout: string
  stderr: string
  /** The calls that strace saw, one a line. */
  trace: string[]
}

/** A thread is held for so long at the call at which its process is killed; it is not waited for. */
const HELD_US = 20_000_000

/** One thread for what is asynchronous, so that calls come in an order, and no ring that strace does not see. */
const ENV = { ...process.env, UV_THREADPOOL_SIZE: '1', UV_USE_IO_URING: '0' }

/** Why no process can be traced here; null where one can. */
export function straceFault(): string | null {
  const { error, status, stderr } = spawnSync('strace', [
    '-f',
    '--seccomp-bpf',
    '-o',
    '/dev/null',
    process.execPath,
    '-e',
    '0',
  ])
  if (error !== undefined) return 'strace is not there'
  return status === 0 ? null : `strace cannot trace: ${stderr.toString().trim().split('\n')[0]}`
}

/** Runs `node <words>` to its end, and returns the calls below `root`, or on the way to it, that change anything. */
export async function traceCalls(words: string[], root: string): Promise<SystemCall[]> {
  const { code, stderr, trace } = await underStrace(['-y', '-s', '0', '-e', `trace=${WRITE_CALLS}`], words)
  if (code !== 0) throw new Error(`the run to be traced ended with ${code}: ${stderr}`)
  const calls: SystemCall[] = []
  const counts = new Map<string, number>()
  for (const line of trace) {
    const name = /^\[pid +\d+\] (\w+)\(/.exec(line)?.[1]
    if (name === undefined || (name === 'openat' && !line.includes('O_CREAT'))) continue
    // what a descriptor stands for, or what is named
    const paths = name.startsWith('rename') || name.includes('link') || name.includes('mkdir') || name === 'openat'
    const found = [...line.matchAll(paths ? /"([^"]*)"/g : /\(\d+<([^>]*)>/g)].map((match) => match[1])
    if (found.length === 0 || !found.every((path) => path.startsWith('/'))) continue
    // of two paths strace goes by the first
    const key = `${name} ${found[0]}`
    const nth = (counts.get(key) ?? 0) + 1
    counts.set(key, nth)
    calls.push({ name, path: relative(found[0], root), nth })
  }
  return calls
}

/**
 * Runs `node <words>` with something done at one system call: `error=EIO`, `delay_enter=<us>`, ...
 *
 * @param told a file of which the trace shows what is written to it, and so what was told before and what after
 */
export function withInjection(
  words: string[],
  root: string,
  call: SystemCall,
  what: string,
  told?: string,
): Promise<Ending> {
  const options = injecting(root, call, what)
  if (told !== undefined) options.push('-e', `trace=${call.name},write`, '-P', told, '-s', '200')
  return underStrace(options, words)
}

/**
 * Runs `node <words>` until one of its threads enters a system call, holds that, and kills the process; returns whether it
 * came so far.
 */
export async function killAt(words: string[], root: string, call: SystemCall): Promise<Ending & { killed: boolean }> {
  let killed = false
  // strace can kill by itself, but then it has to stop at every call there is, which takes as long as all the rest
  const options = injecting(root, call, `delay_enter=${HELD_US}`)
  const ending = await underStrace(options, words, (trace, strace) => {
    if (killed || callsIn(trace, call.name) !== call.nth) return
    killed = true
    process.kill(processOf(/\d+/.exec(trace.at(-1)!)![0]), 'SIGKILL')
    // which would wait until it can let the thread go on
    strace.kill('SIGKILL')
  })
  return { ...ending, killed }
}

function injecting(root: string, { name, path, nth }: SystemCall, what: string): string[] {
  const place = path.startsWith('/') ? path : join(root, path)
  return ['-e', `trace=${name}`, '-e', `inject=${name}:${what}${nth === 0 ? '' : `:when=${nth}`}`, '-P', place]
}

/** The process that a thread is of. */
function processOf(thread: string): number {
  return Number(/^Tgid:\s*(\d+)$/m.exec(readFileSync(`/proc/${thread}/status`, 'utf8'))![1])
}

/** So many calls of that name one thread made; strace may print one that a kill has cut short twice, once for another. */
export function callsIn(trace: readonly string[], name: string): number {
  const counts = new Map<string, number>()
  for (const line of trace) {
    const thread = new RegExp(`^\\[pid +(\\d+)\\] ${name}\\(`).exec(line)?.[1]
    if (thread !== undefined) counts.set(thread, (counts.get(thread) ?? 0) + 1)
  }
  return Math.max(0, ...counts.values())
}

/** Runs `node <words>` under strace with these options; `seen` is given what strace has printed so far, whole lines or not. */
export async function underStrace(
  options: string[],
  words: string[],
  seen: (trace: string[], strace: ChildProcess) => void = () => {},
): Promise<Ending> {
  const all = ['-f', '--seccomp-bpf', ...options, process.execPath, ...words]
  const running = spawn('strace', all, { env: ENV, stdio: ['ignore', 'pipe', 'pipe'] })
  let [stdout, stderr] = ['', '']
  // what strace says of a thread comes with its number, and what the process itself says does not
  const lines = () => stderr.split('\n').filter((line) => line.startsWith('[pid '))
  running.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  running.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
    const trace = lines()
    if (trace.length > 0) seen(trace, running)
  })
  const [code, signal] = (await once(running, 'close')) as [number | null, string | null]
  return { code, signal, stdout, stderr, trace: lines() }
}

function relative(path: string, root: string): string {
  if (path === root) return '.'
  return path.startsWith(`${root}/`) ? path.slice(root.length + 1) : path
}
