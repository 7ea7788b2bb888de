// SPDX-License-Identifier: Apache-2.0

import { FP16 } from './graphs.ts'
import { hasHalves } from './platform/device-halves.ts'
import { PROVIDERS } from './providers.ts'
import type { Release, ReleaseVariant } from './release.ts'

/**
 * The variant to load where none is asked for: fp16 where the release has it and the provider's device computes in float16, else the
 * release's own. The device is queried only when that decides. A provider without a row is refused where its session is opened, with those
 * that this build of onnxruntime has.
 */
export async function usualVariant(release: Release, provider: string): Promise<ReleaseVariant> {
  const fp16 = release.variants.find(({ name }) => name === FP16)
  const halves = PROVIDERS[provider]?.halves ?? 'never'
  if (fp16 === undefined || halves === 'never') return release.variant()
  return halves === 'always' || (await hasHalves(provider)) ? fp16 : release.variant()
}
