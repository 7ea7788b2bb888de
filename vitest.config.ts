// SPDX-License-Identifier: Apache-2.0

import { defineConfig } from 'vitest/config'
import './eval/runtime/no-telemetry.ts' // inherited by every test and what it starts
import { PreparedLast } from './test/helpers/order.ts'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/helpers/setup.ts'],
    reporters: ['default', './test/helpers/closing-line.ts'],
    // Tests run the real pipeline, most of which keeps one core busy: two files at a time fill a small machine.
    testTimeout: 300_000,
    hookTimeout: 600_000,
    maxWorkers: 2,
    sequence: { sequencer: PreparedLast },
  },
})
