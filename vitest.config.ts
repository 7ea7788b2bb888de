import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/helpers/venv-setup.ts'],
    reporters: ['default', './test/helpers/closing-line.ts'],
    // Tests run the real pipeline, which takes both cores of a small machine.
    testTimeout: 300_000,
    hookTimeout: 600_000,
    fileParallelism: false,
  },
})
