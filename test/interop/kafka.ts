import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const POM = fileURLToPath(new URL('pom.xml', import.meta.url))
const RESOLVE_TIMEOUT_MS = 240_000
const RUN_TIMEOUT_MS = 60_000
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024

/** How to run Kafka's classes here, or why that cannot be done. */
export type Kafka = { classPath: string; missing?: undefined } | { missing: string }

/**
 * Finds Java and the jars of the pom.xml in this folder. Maven resolves them once and keeps them in ~/.m2; the class path is
 * kept beside them. What is missing is said on the console, so that tests that are left out do not go unnoticed.
 */
export function findKafka(): Kafka {
  const kafka = find()
  if (kafka.missing !== undefined) {
    console.warn(`\n*** LEFT OUT: tests against Apache Kafka's own classes, because ${kafka.missing}\n`)
  }
  return kafka
}

function find(): Kafka {
  const java = spawnSync('java', ['-version'], { encoding: 'utf8' })
  const version = Number(/version "(\d+)/.exec(java.stderr ?? '')?.[1])
  if (!(version >= 17)) return { missing: 'there is no Java 17 or later on the path' }
  const cache = join(homedir(), '.m2', 'varve-interop')
  const cached = join(cache, createHash('sha256').update(readFileSync(POM)).digest('hex').slice(0, 16))
  if (existsSync(cached)) {
    const classPath = readFileSync(cached, 'utf8').trim()
    if (classPath.split(delimiter).every((jar) => existsSync(jar))) return { classPath }
  }
  mkdirSync(cache, { recursive: true })
  // test files run side by side
  const output = join(cache, `${process.pid}.tmp`)
  const goal = ['dependency:build-classpath', `-Dmdep.outputFile=${output}`, '-Dmdep.includeScope=runtime']
  const options = { encoding: 'utf8', timeout: RESOLVE_TIMEOUT_MS, shell: process.platform === 'win32' } as const
  const maven = spawnSync('mvn', ['-q', '-B', '-f', POM, ...goal], options)
  if (maven.error !== undefined) return { missing: `Maven does not run: ${maven.error.message}` }
  if (maven.status !== 0) return { missing: `Maven cannot resolve its jars: ${maven.stdout.slice(0, 500)}` }
  renameSync(output, cached)
  return { classPath: readFileSync(cached, 'utf8').trim() }
}

/** Runs a class, or a source file, and gives what it printed, its complaints last. */
export function runJava(kafka: Kafka, main: string, ...parameters: string[]): string {
  if (kafka.missing !== undefined) throw new Error(kafka.missing)
  const options = { encoding: 'utf8', timeout: RUN_TIMEOUT_MS, maxBuffer: MAX_OUTPUT_BYTES } as const
  const java = spawnSync('java', [...javaOptions(), '-cp', kafka.classPath, main, ...parameters], options)
  if (java.status !== 0) throw new Error(`java ${main} failed (${java.status ?? java.error?.message}): ${java.stderr}`)
  return java.stdout + java.stderr
}

/** Options of a Java that starts fast, at the expense of its speed; its loggers say what is at least as bad as `logLevel`. */
export function javaOptions(logLevel: 'off' | 'warn' = 'off'): string[] {
  // with text as UTF-8 whatever the locale is, before Java 18 too
  const properties = ['-Dfile.encoding=UTF-8', '-Dstdout.encoding=UTF-8', '-Dstderr.encoding=UTF-8']
  return [...properties, `-Dorg.slf4j.simpleLogger.defaultLogLevel=${logLevel}`, '-XX:TieredStopAtLevel=1']
}
