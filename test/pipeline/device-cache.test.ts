// SPDX-License-Identifier: Apache-2.0

import { join } from 'node:path'
import { execa } from 'execa'
import { expect, it } from 'vitest'
import { providerOf } from '../../eval/runtime/providers.ts'
import { builtModule } from '../helpers/commands.ts'
import { sharedReleases } from '../helpers/prepared.ts'
import { TINY_NAME } from '../helpers/tiny-release.ts'
import { softwareVulkan } from '../helpers/vulkan.ts'

it('keys and values on a device are what they are in memory, and none is left behind', async () => {
  const model = join(await sharedReleases(), TINY_NAME)
  const { stdout, stderr } = await execa(
    process.execPath,
    [builtModule('test/helpers/device-cache.ts'), model],
    {
      env: await softwareVulkan(),
    },
  )
  const { positions, calls, logits, most, left } = JSON.parse(stdout)
  expect(positions).toBeGreaterThan(500)
  expect(calls).toBe(13)
  expect(logits).toBeGreaterThan(0) // it was another device
  expect(logits).toBeLessThanOrEqual(providerOf('webgpu').tolerance.logits)
  expect(most).toBeLessThan(40) // of 6 arrays: the cache, a head, what is new, and copies while they move
  expect(left).toBe(0)
  expect(stderr).toBe('')
})
