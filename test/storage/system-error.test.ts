import { expect, test } from 'vitest'
import { systemError } from '../../src/storage/system-error.ts'

test("an error looks like the one that Node gives for the system's", () => {
  const error = systemError('EBADF', 'read', '/log/x')
  expect(error).toMatchObject({ code: 'EBADF', syscall: 'read', path: '/log/x' })
  expect(error.errno).toBeLessThan(0)
  expect(error.message).toBe("EBADF: bad file descriptor, read '/log/x'")
})

test('one of a code that this system does not know has no number', () => {
  const error = systemError('ESTRANGE', 'read', '/log/x')
  expect(error).toMatchObject({ code: 'ESTRANGE', syscall: 'read', path: '/log/x' })
  expect(error.errno).toBeUndefined()
  expect(error.message).toBe("ESTRANGE: read '/log/x'")
})
