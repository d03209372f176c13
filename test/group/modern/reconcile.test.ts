/** How a member comes to what it is to have. */
import { expect, test } from 'vitest'
import type { CurrentAssignment } from '../../../src/group/modern/modern-group.ts'
import { reconcile } from '../../../src/group/modern/reconcile.ts'

const keys = (...names: string[]) => new Set(names)
const stable = (epoch: number, ...assigned: string[]): CurrentAssignment => {
  return { epoch, previousEpoch: epoch - 1, state: 'stable', assigned: keys(...assigned), revoking: keys() }
}
const nobody = () => false

test('whoever is there stays as it is', () => {
  const current = stable(5, 'a')
  expect(reconcile(current, { epoch: 5, target: keys('b'), owned: null, isHeld: nobody })).toBe(current)
})

test('it gives up first, in its own epoch, and takes nothing meanwhile', () => {
  const aim = { epoch: 6, target: keys('b', 'c'), owned: null, isHeld: nobody }
  const next = reconcile(stable(5, 'a', 'b'), aim)
  expect(next).toEqual({ epoch: 5, previousEpoch: 5, state: 'unrevoked', assigned: keys('b'), revoking: keys('a') })
  expect(reconcile(next, aim)).toBe(next)
  expect(reconcile(next, { ...aim, owned: keys('a', 'b') })).toBe(next)
  const last = reconcile(next, { ...aim, owned: keys('b') })
  expect(last).toEqual({ ...stable(6, 'b', 'c'), previousEpoch: 5 })
})

test('to give up again is another epoch', () => {
  const first = reconcile(stable(5, 'a', 'b'), { epoch: 6, target: keys('b'), owned: null, isHeld: nobody })
  const aim = { epoch: 9, target: keys('c'), owned: keys('b'), isHeld: nobody }
  const second = reconcile(first, aim)
  expect(second).toEqual({ epoch: 6, previousEpoch: 5, state: 'unrevoked', assigned: keys(), revoking: keys('b') })
  expect(reconcile(second, { ...aim, owned: keys() })).toEqual({ ...stable(9, 'c'), previousEpoch: 6 })
})

test('what others have to give up comes later, whatever comes at once', () => {
  const held = keys('b', 'c')
  const aim = { epoch: 6, target: keys('a', 'b', 'c'), owned: null, isHeld: (key: string) => held.has(key) }
  const first = reconcile(stable(5), aim)
  expect(first).toEqual({ ...stable(6, 'a'), state: 'unreleased' })
  expect(reconcile(first, aim)).toBe(first)
  held.delete('b')
  const second = reconcile(first, aim)
  expect(second).toEqual({ ...stable(6, 'a', 'b'), state: 'unreleased', previousEpoch: 6 })
  held.clear()
  expect(reconcile(second, aim)).toEqual({ ...stable(6, 'a', 'b', 'c'), previousEpoch: 6 })
})

test('who owns nothing of what it is to give up has nothing to give up', () => {
  const aim = { epoch: 6, target: keys('b'), owned: keys(), isHeld: nobody }
  expect(reconcile(stable(5, 'a'), aim)).toEqual({ ...stable(6, 'b'), previousEpoch: 5 })
})
