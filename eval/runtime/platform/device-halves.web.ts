// SPDX-License-Identifier: Apache-2.0

import type * as Device from './device-halves.ts'

/** The DOM's types lack WebGPU (w3.org/TR/webgpu). */
interface Gpu {
  requestAdapter(): Promise<{ readonly features: ReadonlySet<string> } | null>
}

/** Whether the browser's WebGPU adapter has `shader-f16`; false where there is no adapter. */
export const hasHalves: typeof Device.hasHalves = async () => {
  const { gpu } = navigator as { readonly gpu?: Gpu }
  const adapter = await gpu?.requestAdapter().catch(() => null)
  return adapter?.features.has('shader-f16') ?? false
}
