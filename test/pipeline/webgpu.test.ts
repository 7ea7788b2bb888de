import { join } from 'node:path'
import { execa } from 'execa'
import { expect, it } from 'vitest'
import { providerOf } from '../../eval/runtime/providers.ts'
import { BUNDLED_SPEECH } from '../../pipeline/models.ts'
import { builtModule } from '../helpers/commands.ts'
import { sharedReleases } from '../helpers/prepared.ts'
import { TINY_NAME } from '../helpers/tiny-release.ts'
import { softwareVulkan } from '../helpers/vulkan.ts'

it('webgpu hears as the processor does, within its tolerances and without a word of its own', async () => {
  const model = join(await sharedReleases(), TINY_NAME)
  const clip = join(BUNDLED_SPEECH, 'held-out-000.flac')
  const program = builtModule('test/helpers/provider-differences.ts')
  const { stdout, stderr } = await execa(process.execPath, [program, model, 'fp32', 'webgpu', clip], {
    env: await softwareVulkan(),
  })
  const { features, logits, texts, prefill } = JSON.parse(stdout)
  expect(texts).toEqual(new Array(2).fill('One seven zero two nine two.'))
  const { tolerance, prompts } = providerOf('webgpu')
  expect(prefill).toBe(prompts)
  expect(features).toBeGreaterThan(0) // it was another device
  expect(features).toBeLessThanOrEqual(tolerance.features)
  expect(logits).toBeLessThanOrEqual(tolerance.logits)
  expect(stderr).toBe('')
})
