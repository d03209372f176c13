import { expect, test } from 'vitest'
import { configHelp, formatSetting, parseSetting } from '../../src/cli/settings.ts'
import { topicConfigChecks, topicDefaults, type TopicConfig } from '../../src/engine/topic-config.ts'

const KEYS = Object.keys(topicConfigChecks) as (keyof TopicConfig)[]

test('every configuration is read back from the form it is shown in, by its name and by its dotted name', () => {
  for (const key of KEYS) {
    const value = topicDefaults[key] ?? 'group'
    const dotted = key.replaceAll(/[A-Z]/g, (letter) => `.${letter.toLowerCase()}`)
    for (const name of [key, dotted]) expect(parseSetting(`${name}=${formatSetting(value)}`)).toEqual({ [key]: value })
  }
})

test('every configuration stands in the help with its default', () => {
  for (const key of KEYS) expect(configHelp()).toMatch(new RegExp(`^  ${key} +\\S`, 'm'))
})

test('settings add up, the last of a name counts, and a value may hold =', () => {
  const first = parseSetting('retentionMs=1')
  expect(parseSetting('retention.ms=2', parseSetting('segmentMs=3', first))).toEqual({ retentionMs: 2, segmentMs: 3 })
  expect(() => parseSetting('valueCodec=a=b')).toThrow("not 'a=b'")
})

test('a flush mode is a word, milliseconds or a window', () => {
  expect(parseSetting('flush=each')).toEqual({ flush: 'each' })
  expect(parseSetting('flush=2.5ms')).toEqual({ flush: { ms: 2.5 } })
  expect(parseSetting('flush={"ms":10,"records":5}')).toEqual({ flush: { ms: 10, records: 5 } })
  for (const wrong of ['10', '0ms', '{"ms":"x"}', '{', 'null', ''])
    expect(() => parseSetting(`flush=${wrong}`)).toThrow(/flush must be/)
})
