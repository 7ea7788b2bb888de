// SPDX-License-Identifier: Apache-2.0

import { join } from 'node:path'
import { execa } from 'execa'
import { expect, it } from 'vitest'
import { PROJECT } from '../../eval/runtime/project.ts'
import { sharedReleases, stagePython } from '../helpers/prepared.ts'
import { TINY_NAME } from '../helpers/tiny-release.ts'

it('the graphs that are written for sherpa-onnx compute what those of a release do', async () => {
  const script = join(PROJECT, 'test', 'helpers', 'check_sherpa.py')
  const release = join(await sharedReleases(), TINY_NAME)
  const { stdout } = await execa(await stagePython(), [script, release])
  const last = stdout.trimEnd().split('\n').at(-1) ?? ''
  const { event, sizes, inputs, padding, ...differences } = JSON.parse(last)
  expect(event).toBe('result')
  expect(inputs).toEqual([
    ...['input_ids', 'audio_features', 'attention_mask', 'cache_position', 'cache_key_0'],
  ])
  for (const size of sizes) expect(size).toBeGreaterThan(0.1)
  for (const [name, difference] of Object.entries(differences)) expect(difference, name).toBeLessThan(1e-3)
  expect(padding).toBe(0)
})
