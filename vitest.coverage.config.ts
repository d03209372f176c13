/**
 * Measures which branches of codec, storage and engine (writer and recovery with it) the tests of those layers take, and
 * those of backups and repairs, and fails below all of them: `npm run coverage`, on Linux. What is left out says why where
 * it stands.
 *
 * Other campaigns are not among these tests, and the seeds are fixed, so that each run tries the same.
 */
import { defineConfig } from 'vitest/config'
import base from './vitest.config.ts'

export default defineConfig({
  test: {
    ...base.test,
    include: ['test/{codec,storage,engine,client}/**/*.test.ts', 'test/{cli,crash}/{backup,repair}.test.ts'],
    env: { VARVE_SEED: '1' },
    setupFiles: ['test/helpers/fixed-seeds.ts'],
    maxWorkers: 2,
    coverage: {
      enabled: true,
      provider: 'v8',
      include: ['src/{codec,storage,engine}/**/*.ts'],
      reporter: [['text', { skipFull: true }], 'json'],
      reportOnFailure: true,
      thresholds: { 100: true },
    },
  },
})
