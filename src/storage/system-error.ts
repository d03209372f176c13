import { getSystemErrorMap } from 'node:util'

const byCode = new Map([...getSystemErrorMap()].map(([errno, [code, text]]) => [code, { errno, text }] as const))

/**
 * An error that looks like the one Node gives for a failed system call: `code`, `errno`, `syscall`, `path`, and a
 * message such as "EBADF: bad file descriptor, read '/x'".
 */
export function systemError(code: string, syscall: string, path: string): NodeJS.ErrnoException {
  const known = byCode.get(code)
  if (known === undefined) return Object.assign(new Error(`${code}: ${syscall} '${path}'`), { code, syscall, path })
  const { errno, text } = known
  return Object.assign(new Error(`${code}: ${text}, ${syscall} '${path}'`), { code, errno, syscall, path })
}
