// SPDX-License-Identifier: Apache-2.0

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { defineConfig } from 'vitest/config'
import '../eval/runtime/no-telemetry.ts'
import { PROJECT } from '../eval/runtime/project.ts'
import { needsOf } from './helpers/needs.ts'

/** The test files that run in the processes of the tests alone: no Python, no release, no browser. */
async function unitTests(): Promise<string[]> {
  const names = readdirSync(join(PROJECT, 'test'), { recursive: true, encoding: 'utf8' })
  const files = names.filter((name) => name.endsWith('.test.ts')).map((name) => join(PROJECT, 'test', name))
  const needs = await Promise.all(files.map(needsOf))
  return files.filter((_, at) => needs[at]?.isUnit)
}

export default defineConfig({
  test: {
    root: PROJECT,
    include: await unitTests(),
    reporters: ['default', './test/helpers/closing-line.ts'],
    testTimeout: 60_000,
    pool: 'threads',
    isolate: false, // half of the time is loading modules
    maxWorkers: 2,
  },
})
