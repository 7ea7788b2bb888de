// SPDX-License-Identifier: Apache-2.0

import { FP16 } from './graphs.ts'
import { hasHalves } from './platform/device-halves.ts'
import { providerOf } from './providers.ts'
import type { Release, ReleaseVariant } from './release.ts'

/**
 * The variant to load where none is asked for: fp16 where the release has it and the provider's device computes in float16, else the
 * release's own. The device is asked only when that decides.
 * @throws SpeechError for a provider that this project does not know
 */
export async function usualVariant(release: Release, provider: string): Promise<ReleaseVariant> {
  const { halves } = providerOf(provider)
  const fp16 = release.variants.find(({ name }) => name === FP16)
  if (fp16 === undefined || halves === 'never') return release.variant()
  return halves === 'always' || (await hasHalves(provider)) ? fp16 : release.variant()
}
