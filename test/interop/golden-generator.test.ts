import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { findKafka, runJava } from './kafka.ts'

const GENERATOR = fileURLToPath(new URL('../golden/generator/GenerateGolden.java', import.meta.url))
const COMMITTED = fileURLToPath(new URL('../golden/kafka', import.meta.url))
const GROUPS_GENERATOR = fileURLToPath(new URL('../golden/generator/GenerateGroups.java', import.meta.url))
const COMMITTED_GROUPS = fileURLToPath(new URL('../golden/kafka-groups', import.meta.url))

/** Depends on gzip's bytes, which differ from one build of Java to the next. */
const GZIPPED = /^(codecs-1|transactions-0)\b|^expected\.json$/

const kafka = findKafka()

// reason: without Java and Maven there is no Kafka to ask; findKafka says so on the console
test.skipIf(kafka.missing !== undefined)('the golden files are what Kafka writes when their generator runs', () => {
  const directory = mkdtempSync(join(tmpdir(), 'varve-golden-'))
  try {
    runJava(kafka, GENERATOR, directory)
    expect(filesIn(directory)).toEqual(filesIn(COMMITTED).filter((file) => file !== 'README.md'))
    expect(recordsIn(directory)).toEqual(recordsIn(COMMITTED))
    for (const file of filesIn(directory).filter((file) => !GZIPPED.test(file))) {
      const [written, committed] = [directory, COMMITTED].map((folder) => readFileSync(join(folder, file)))
      expect([file, written.equals(committed)]).toEqual([file, true])
    }
  } finally {
    rmSync(directory, { recursive: true })
  }
})

// reason: as above
test.skipIf(kafka.missing !== undefined)(
  'the golden groups are what Kafka makes of them when their generator runs',
  () => {
    const directory = mkdtempSync(join(tmpdir(), 'varve-golden-'))
    try {
      runJava(kafka, GROUPS_GENERATOR, directory)
      const files = filesIn(directory)
      expect(files).toEqual(filesIn(COMMITTED_GROUPS).filter((file) => file !== 'README.md'))
      for (const file of files) {
        const [written, committed] = [directory, COMMITTED_GROUPS].map((folder) =>
          readFileSync(join(folder, file), 'utf8'),
        )
        expect([file, written === committed]).toEqual([file, true])
      }
    } finally {
      rmSync(directory, { recursive: true })
    }
  },
)

function filesIn(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  return files.map(({ parentPath, name }) => join(parentPath, name).slice(folder.length + 1)).sort()
}

/** All records of each partition, without the bytes and places of their batches. */
function recordsIn(folder: string): [string, unknown[]][] {
  const expected = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as {
    partitions: { [name: string]: { segments: { [file: string]: unknown[][] } } }
  }
  return Object.entries(expected.partitions).map(([name, { segments }]) => {
    return [name, Object.values(segments).flatMap((batches) => batches.flatMap((batch) => batch.at(-1)))]
  })
}
