import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)

/** What came of loading a package: its exports, or why there are none. */
export type Loaded<T> = { exports: T; error?: undefined } | { exports?: undefined; error: unknown }

/**
 * Loads a package that Varve can do without, synchronously.
 *
 * Any failure means "not available": a package that is installed but whose native binary does not fit this machine is of
 * no more use than one that is missing. Callers keep the result, since Node looks on the disk again after each failure.
 *
 * @param name also listed as an optional peer dependency in package.json, so that strict package managers link it
 */
export function loadOptional<T>(name: string): Loaded<T> {
  try {
    return { exports: require(name) as T }
  } catch (error) {
    return { error }
  }
}
