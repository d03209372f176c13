import { getSystemErrorMap } from 'node:util'

/**
 * An error that looks like the one Node gives for a failed system call: `code`, `errno`, `syscall`, `path`, and a
 * message such as "EBADF: bad file descriptor, read '/x'".
 */
export function systemError(code: string, syscall: string, path: string): NodeJS.ErrnoException {
  for (const [errno, [name, text]] of getSystemErrorMap()) {
    if (name === code)
      return Object.assign(new Error(`${code}: ${text}, ${syscall} '${path}'`), { code, errno, syscall, path })
  }
  return Object.assign(new Error(`${code}: ${syscall} '${path}'`), { code, syscall, path })
}
