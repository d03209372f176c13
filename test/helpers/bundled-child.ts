import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'

/** What tsx itself is made with, found from there: one copy, whichever way packages are installed. */
const esbuild = createRequire(import.meta.resolve('tsx'))('esbuild') as {
  buildSync(options: Record<string, unknown>): unknown
}

/**
 * Bundles a program of test/helpers and the sources that it imports into one file of plain JavaScript, and returns its path:
 * `node <path>` starts several times faster than through tsx, which counts where a process is started a thousand times.
 * Called at the top of a test file; what it makes goes when the file's tests are over.
 */
export function bundleChild(name: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'varve-child-'))
  afterAll(() => rmSync(directory, { recursive: true, force: true }))
  const outfile = join(directory, name.replace(/\.ts$/, '.mjs'))
  const source = new URL(name, import.meta.url)
  esbuild.buildSync({
    entryPoints: [source.pathname],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'error',
    // packages written for CommonJS need a `require`, and the optional ones are found from the project
    define: { 'import.meta.url': JSON.stringify(source.href) },
    banner: { js: "import { createRequire as r } from 'node:module'; const require = r(import.meta.url);" },
  })
  return outfile
}
