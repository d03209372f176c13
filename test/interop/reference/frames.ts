/** Frames that no client sends, and versions that no server has. */
import { FieldWriter } from '../../../src/codec/fields.ts'
import { apis } from '../../../src/kafka/apis.ts'
import { apiVersions } from '../../../src/kafka/apis/api-versions.ts'
import { metadata } from '../../../src/kafka/apis/metadata.ts'
import type { Scenario } from './world.ts'

function frame(...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts)
  return Buffer.concat([new FieldWriter().int32(body.length).finish(), body])
}

const header = (key: number, version: number, id = 7) =>
  new FieldWriter().int16(key).int16(version).int32(id).nullableString('test').finish()

/** What ends the header of a request of a flexible version. */
const NO_TAGS = Buffer.alloc(1)

const unknown: Scenario = {
  name: 'Versions that there are not',
  async run(world) {
    for (const { key, name, versions } of apis) {
      if (key === apiVersions.key) continue
      for (const version of [versions[1] + 1, -1]) await world.send(`${name} ${version}`, frame(header(key, version)))
    }
    for (const key of [-1, 4, 93, 999]) await world.send(`key ${key}`, frame(header(key, 0)))
    for (const version of [5, 99, -1])
      await world.send(`ApiVersions ${version}`, frame(header(apiVersions.key, version), NO_TAGS))
  },
}

const broken: Scenario = {
  name: 'Frames',
  async run(world) {
    const ask = header(metadata.key, 1)
    const noTopics = new FieldWriter().int32(0).finish()
    await world.send('whole', frame(ask, noTopics))
    await world.send(
      'without a client id',
      frame(new FieldWriter().int16(3).int16(1).int32(7).nullableString(null).finish(), noTopics),
    )
    await world.send('empty', frame())
    await world.send('of 4 bytes', frame(ask.subarray(0, 4)))
    await world.send('header only', frame(ask))
    await world.send('cut', frame(ask, noTopics.subarray(0, 3)))
    await world.send('a byte more', frame(ask, noTopics, Buffer.alloc(1)))
    await world.send('a billion topics', frame(ask, new FieldWriter().int32(1_000_000_000).finish()))
    await world.send('-2 topics', frame(ask, new FieldWriter().int32(-2).finish()))
    await world.send('negative length', new FieldWriter().int32(-1).finish())
    await world.send('of 2 GiB', new FieldWriter().int32(0x7fffffff).finish())
    await world.send('HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n'))
  },
}

export const frameScenarios = [unknown, broken]
