/**
 * The project's habits, read from its sources: each is a promise to whoever reads the code next.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..')

/** Who may import whom: a folder sees those of a lower rank, and itself. Files directly in src/ are the lowest. */
const RANKS: Record<string, number> = {
  '.': 0,
  codec: 1,
  storage: 2,
  engine: 3,
  inspect: 4,
  group: 4,
  client: 5,
  kafka: 6,
  queue: 6,
  cluster: 6,
  console: 7,
  cli: 8,
}
const BASE_FILES = ['src/assert.ts', 'src/environment.ts', 'src/errors.ts', 'src/options.ts']

/** Folders of test/ that mirror src/ file by file; the others (crash, model, golden, ...) cut across it. */
const MIRRORED = Object.keys(RANKS).filter((folder) => folder !== '.')

const FILES_LINES_MAX = 400
const LINE_COLUMNS_MAX = 130

/** What reaches outside the process, and the only places that may. A path that ends in / is a folder. */
const OUTSIDE = [
  {
    what: 'files and sockets',
    modules: /^(node:)?(fs|fs\/promises|net|tls|dgram|http|https|http2)$|^fs-extra(\/|$)/,
    allowed: [
      'src/storage/node-storage.ts',
      'src/storage/directory-lock.ts',
      'src/environment.ts',
      'src/kafka/server.ts',
      'src/kafka/connection.ts',
      'src/cli/',
    ],
  },
  {
    what: 'timers by import',
    modules: /^(node:)?(timers|timers\/promises|perf_hooks)$/,
    allowed: ['src/environment.ts', 'src/cli/'],
  },
]
const CLOCKS_AND_CHANCE = {
  calls: new RegExp(
    [
      String.raw`\b(Date\.now|performance\.now|process\.hrtime)\b|\bnew Date\(\s*\)`,
      String.raw`\b(setTimeout|setInterval|setImmediate|AbortSignal\.timeout)\b`,
      String.raw`\b(Math\.random|randomBytes|randomFill|randomInt|randomUUID|getRandomValues)\b`,
    ].join('|'),
  ),
  allowed: ['src/environment.ts', 'src/cli/'],
}

const RUNTIME_DEPENDENCIES = [
  'cli-progress',
  'cli-table3',
  'commander',
  'crc-32',
  'fs-extra',
  'msgpackr',
  'murmurhash3js-revisited',
]
const OPTIONAL_DEPENDENCIES = ['@node-rs/crc32', '@toondepauw/node-zstd', 'lz4-napi', 'snappyjs']

interface SourceFile {
  /** From the project's root, with forward slashes. */
  path: string
  text: string
  lines: string[]
  /** The text with every comment blanked; line numbers stay. */
  code: string
}

interface Import {
  specifier: string
  line: number
}

interface Manifest {
  dependencies: Record<string, string>
  peerDependencies: Record<string, string>
  peerDependenciesMeta: Record<string, { optional: boolean }>
  exports: Record<string, string | { default: string }>
}

const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Manifest
const sources = readSources('src')
const everything = [...sources, ...readSources('test'), ...readSources('bench'), ...readSources('scripts')]

test('there are sources to read', () => {
  expect(sources.length).toBeGreaterThan(3)
})

test('every folder of src is a known layer', () => {
  const unknown = sources.map(({ path }) => layerOf(path)).filter((layer) => !(layer in RANKS))
  expect([...new Set(unknown)]).toEqual([])
})

test('only the base files and the public index stand directly in src', () => {
  const strays = sources.map(({ path }) => path).filter((path) => layerOf(path) === '.' && !isIndex(path))
  expect(strays.filter((path) => !BASE_FILES.includes(path))).toEqual([])
})

test('imports point downward only', () => {
  const problems: string[] = []
  for (const file of sources.filter(({ path }) => path !== 'src/index.ts')) {
    for (const { specifier, line } of importsOf(file)) {
      if (!specifier.startsWith('.')) continue
      const target = posix.join(posix.dirname(file.path), specifier)
      const [from, to] = [layerOf(file.path), layerOf(target)]
      const downward = target.startsWith('src/') && (from === to || RANKS[to] < RANKS[from])
      if (!downward) problems.push(`${file.path}:${line} imports ${specifier} (${from} -> ${to})`)
    }
  }
  expect(problems).toEqual([])
})

test('imports name the .ts file that defines the thing, never an index', () => {
  const problems: string[] = []
  for (const file of everything) {
    for (const { specifier, line } of importsOf(file)) {
      if (!specifier.startsWith('.') || specifier.endsWith('.json')) continue
      const target = posix.join(posix.dirname(file.path), specifier)
      if (!specifier.endsWith('.ts')) problems.push(`${file.path}:${line} ${specifier} does not end in .ts`)
      if (file.path.startsWith('src/') && isIndex(target))
        problems.push(`${file.path}:${line} imports the index ${specifier}`)
    }
  }
  expect(problems).toEqual([])
})

test('index.ts exists only where package.json exports', () => {
  const exported = Object.values(manifest.exports).map((entry) => (typeof entry === 'string' ? entry : entry.default))
  const published = exported.map((path) => path.replace(/^\.\/dist\//, 'src/').replace(/\.js$/, '.ts'))
  const indexes = sources.map(({ path }) => path).filter(isIndex)
  expect(indexes.filter((path) => !published.includes(path))).toEqual([])
})

test(`no source file is over ${FILES_LINES_MAX} lines`, () => {
  const long = sources.filter(({ lines }) => lines.length > FILES_LINES_MAX)
  expect(long.map(({ path, lines }) => `${path}: ${lines.length} lines`)).toEqual([])
})

test(`no line is over ${LINE_COLUMNS_MAX} columns`, () => {
  expect(linesThat(everything, (line) => line.length > LINE_COLUMNS_MAX)).toEqual([])
})

test('only storage, environment and cli touch files or sockets', () => {
  expect(sources.flatMap(outsideImports)).toEqual([])
})

test('only environment and cli read the clock, set timers or draw random numbers', () => {
  const bound = sources.filter(({ path }) => !isAllowed(path, CLOCKS_AND_CHANCE.allowed))
  expect(linesThat(bound.map(asCode), (line) => CLOCKS_AND_CHANCE.calls.test(line))).toEqual([])
})

test('nothing is left to do', () => {
  const marks = new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX'].join('|')})\\b`)
  expect(linesThat(everything, (line) => marks.test(line))).toEqual([])
})

test('no test is skipped or singled out without a reason on the line before', () => {
  const marked = /\.(skip|only)\(/
  const tests = everything.filter(({ path }) => path.startsWith('test/') && path !== 'test/tidy.test.ts')
  const unexplained = linesThat(tests, (line, before) => marked.test(line) && !/\/\/ reason: \S/.test(before))
  expect(unexplained).toEqual([])
})

test('every declaration in a public file has a docstring', () => {
  const index = sources.find(({ path }) => path === 'src/index.ts')
  const publicPaths = index ? importsOf(index).map(({ specifier }) => posix.join('src', specifier)) : []
  const problems: string[] = []
  for (const file of sources.filter(({ path }) => publicPaths.includes(path))) problems.push(...undocumented(file))
  expect(problems).toEqual([])
})

test('the runtime dependencies are the ones that were chosen', () => {
  expect(Object.keys(manifest.dependencies).sort()).toEqual(RUNTIME_DEPENDENCIES)
  expect(Object.keys(manifest.peerDependencies).sort()).toEqual(OPTIONAL_DEPENDENCIES)
  const required = OPTIONAL_DEPENDENCIES.filter((name) => manifest.peerDependenciesMeta[name]?.optional !== true)
  expect(required).toEqual([])
})

test('the sources import declared packages only', () => {
  const declared = [...RUNTIME_DEPENDENCIES, ...OPTIONAL_DEPENDENCIES]
  const problems: string[] = []
  for (const file of sources) {
    for (const { specifier, line } of importsOf(file)) {
      if (specifier.startsWith('.') || specifier.startsWith('node:')) continue
      const name = specifier
        .split('/')
        .slice(0, specifier.startsWith('@') ? 2 : 1)
        .join('/')
      if (!declared.includes(name)) problems.push(`${file.path}:${line} imports ${specifier}`)
    }
  }
  expect(problems).toEqual([])
})

test('each test of a layer names the source file that it tests', () => {
  const tests = everything.map(({ path }) => path).filter((path) => path.endsWith('.test.ts'))
  const mirrored = tests.filter((path) => MIRRORED.includes(path.split('/')[1]))
  const orphans = mirrored.filter((path) => !existsSync(join(ROOT, sourceOf(path))))
  expect(orphans.map((path) => `${path} -> ${sourceOf(path)}`)).toEqual([])
})

/** Reads every .ts file below a folder of the project but what is installed, by path; none if there is no such folder. */
function readSources(folder: string): SourceFile[] {
  const absolute = join(ROOT, folder)
  if (!existsSync(absolute)) return []
  const all = readdirSync(absolute, { recursive: true, encoding: 'utf8' })
  const names = all.filter((name) => name.endsWith('.ts') && !/(^|[/\\])node_modules[/\\]/.test(name))
  return names.sort().map((name) => {
    const path = posix.join(folder, name.replaceAll('\\', '/'))
    const text = readFileSync(join(ROOT, path), 'utf8')
    return { path, text, lines: text.replace(/\n$/, '').split('\n'), code: blankComments(text) }
  })
}

/** Replaces comments by spaces. Strings are stepped over, so that a // in one is not taken for a comment. */
function blankComments(text: string): string {
  const stringOrComment = /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g
  return text.replace(stringOrComment, (match) => (/^\/[*/]/.test(match) ? match.replace(/[^\n]/g, ' ') : match))
}

/** Finds what a file imports or re-exports, statically, by `import()` or by `require()`. */
function importsOf({ code }: SourceFile): Import[] {
  const statement = /\b(?:from|import|require|import\.meta\.resolve)\s*\(?\s*'([@\w.][\w@./:-]*)'/g
  return [...code.matchAll(statement)].map((match) => ({
    specifier: match[1],
    line: code.slice(0, match.index).split('\n').length,
  }))
}

/** Names the layer of a file in src/: its first folder, or '.' for a file that stands directly in src/. */
function layerOf(path: string): string {
  const [, first, ...rest] = path.split('/')
  return rest.length === 0 ? '.' : first
}

function isIndex(path: string): boolean {
  return path.endsWith('/index.ts')
}

function isAllowed(path: string, allowed: string[]): boolean {
  return allowed.some((place) => (place.endsWith('/') ? path.startsWith(place) : path === place))
}

function asCode(file: SourceFile): SourceFile {
  return { ...file, lines: file.code.split('\n') }
}

/** Lists `path:line text` for each line that the predicate takes; it is given the line before as well. */
function linesThat(files: SourceFile[], predicate: (line: string, before: string) => boolean): string[] {
  return files.flatMap(({ path, lines }) =>
    lines.flatMap((line, at) =>
      predicate(line, lines[at - 1] ?? '') ? [`${path}:${at + 1} ${line.trim().slice(0, 80)}`] : [],
    ),
  )
}

function outsideImports(file: SourceFile): string[] {
  const found: string[] = []
  for (const { what, modules, allowed } of OUTSIDE) {
    if (isAllowed(file.path, allowed)) continue
    for (const { specifier, line } of importsOf(file)) {
      if (modules.test(specifier)) found.push(`${file.path}:${line} imports ${specifier} (${what})`)
    }
  }
  return found
}

/** Lists the exported declarations that no docstring precedes. A later overload stands under the first one's docstring. */
function undocumented({ path, lines }: SourceFile): string[] {
  const declaration = /^export (?:declare |abstract |async )*(?:class|function\*?|interface|type|enum|const) (\w+)/
  const documented = new Set<string>()
  const problems: string[] = []
  for (const [at, line] of lines.entries()) {
    const name = declaration.exec(line)?.[1]
    if (name === undefined) continue
    if (endsDocstring(lines, at - 1)) documented.add(name)
    else if (!documented.has(name)) problems.push(`${path}:${at + 1} ${name}`)
  }
  return problems
}

/** Tells whether a docstring, and not a plain comment, ends on this line. */
function endsDocstring(lines: string[], at: number): boolean {
  if (!lines[at]?.trimEnd().endsWith('*/')) return false
  while (at > 0 && !lines[at].includes('/*')) at--
  return lines[at].trimStart().startsWith('/**')
}

/** Names the source of a test: test/codec/varint.test.ts and test/codec/varint.limits.test.ts both test src/codec/varint.ts. */
function sourceOf(testPath: string): string {
  return testPath.replace(/^test\//, 'src/').replace(/^(.*\/[^./]+)\..*$/, '$1.ts')
}
