// SPDX-License-Identifier: Apache-2.0

import { type Encoder, openEncoder } from './encoder.ts'
import type { EncoderSetup } from './encoder-thread.ts'
import { logMel, type Mel } from './mel.ts'
import { openAudio } from './opened-audio.ts'
import { openRelease } from './release.ts'
import { serveCalls } from './serve-calls.ts'

/* The thread of encoder-thread.ts. */

await serveCalls<EncoderSetup, true, Mel, Float32Array>(async (setup) => {
  const release = await openRelease(setup.folder)
  const encoder = await openEncoder({ release, variant: release.variant(setup.variant) }, setup)
  // begun before the thread answers that it has loaded, and awaited before anything else is run
  let ahead = setup.first === undefined ? undefined : encodeAhead(encoder, setup.first)
  return {
    loaded: true,
    async run(mel) {
      const known = await ahead
      ahead = undefined
      return known && isSame(known.mel, mel) ? known.features : encoder.run(mel)
    },
    moved: ({ buffer }) => [buffer as ArrayBuffer],
  }
})

/** The first piece of a recording. What is wrong with the recording is said when it is transcribed. */
async function encodeAhead(encoder: Encoder, path: string) {
  try {
    const audio = await openAudio({ path })
    await audio.close()
    const mel = logMel(audio.first.samples)
    return { mel, features: await encoder.run(mel) }
  } catch {
    return undefined
  }
}

function isSame(a: Mel, b: Mel): boolean {
  return a.frames === b.frames && a.data.every((value, i) => value === b.data[i])
}
