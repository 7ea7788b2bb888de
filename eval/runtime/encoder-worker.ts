// SPDX-License-Identifier: Apache-2.0

import { openEncoder } from './encoder.ts'
import type { EncoderSetup } from './encoder-thread.ts'
import type { Mel } from './mel.ts'
import { openRelease } from './release.ts'
import { serveCalls } from './serve-calls.ts'

/* The thread of encoder-thread.ts. */

await serveCalls<EncoderSetup, true, Mel, Float32Array>(async (setup) => {
  const release = await openRelease(setup.folder)
  const encoder = await openEncoder({ release, variant: release.variant(setup.variant) }, setup)
  return {
    loaded: true,
    run: (mel) => encoder.run(mel),
    moved: ({ buffer }) => [buffer as ArrayBuffer],
  }
})
