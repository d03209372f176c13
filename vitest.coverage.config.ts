import { defineConfig } from 'vitest/config'
import base from './vitest.config.ts'

export default defineConfig({
  test: {
    ...base.test,
    include: ['test/{codec,storage,engine,client}/**/*.test.ts'],
    env: { VARVE_SEED: '1' },
    coverage: {
      enabled: true,
      provider: 'v8',
      reportsDirectory: 'coverage',
      reporter: ['text', 'json'],
      include: ['src/{codec,storage,engine}/**/*.ts'],
    },
  },
})
