import fc from 'fast-check'
import { expect, test } from 'vitest'
import { PersistentMap } from '../../src/group/persistent-map.ts'

test('every version is what a Map would be, and stays so', () => {
  const key = fc.integer({ min: 0, max: 9 })
  const change = fc.oneof(
    fc.record({ do: fc.constant('with' as const), version: fc.nat(), key, value: fc.nat() }),
    fc.record({ do: fc.constant('filter' as const), version: fc.nat(), key, value: fc.nat() }),
    fc.record({ do: fc.constant('replaceKey' as const), version: fc.nat(), key, value: fc.nat() }),
    fc.record({ do: fc.constant('map' as const), version: fc.nat(), key, value: fc.nat() }),
  )
  fc.assert(
    fc.property(fc.array(change, { maxLength: 30 }), (changes) => {
      const versions: [PersistentMap<number, number>, Map<number, number>][] = [
        [PersistentMap.of<number, number>([]), new Map()],
      ]
      for (const { do: what, version, key, value } of changes) {
        // an old version may be changed as well: the two part
        const [map, model] = versions[version % versions.length]
        if (what === 'with') versions.push([map.with(key, value), new Map(model).set(key, value)])
        else if (what === 'filter')
          versions.push([map.filter((_, one) => one !== key), new Map([...model].filter(([one]) => one !== key))])
        else if (what === 'map')
          versions.push([map.map((one) => one + value), new Map([...model].map(([one, was]) => [one, was + value]))])
        else if (!model.has(100 + value)) {
          const renamed = [...model].map(([one, was]): [number, number] =>
            one === key ? [100 + value, value] : [one, was],
          )
          versions.push([map.replaceKey(key, 100 + value, value), new Map(renamed)])
        }
      }
      for (const [map, model] of versions) {
        expect([...map]).toEqual([...model])
        expect([...map.keys()]).toEqual([...model.keys()])
        expect([...map.values()]).toEqual([...model.values()])
        expect(map.size).toBe(model.size)
        for (let one = 0; one < 10; one++) {
          expect(map.get(one)).toBe(model.get(one))
          expect(map.has(one)).toBe(model.has(one))
        }
        const visited: [number, number][] = []
        map.forEach((value, key) => visited.push([key, value]))
        expect(visited).toEqual([...model])
        expect(map.some((value) => value > 5)).toBe([...model.values()].some((value) => value > 5))
        expect(map.find((value) => value > 5)).toBe([...model.values()].find((value) => value > 5))
      }
    }),
  )
})
