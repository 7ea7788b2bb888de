import { type AlignedAudio, alignAudio, loadAligner } from './aligner/aligner.ts'
import type { AlignerSetup, AlignJob, LoadedAligner } from './aligner-thread.ts'
import { serveCalls } from './serve-calls.ts'

/* The thread of aligner-thread.ts. */

await serveCalls<AlignerSetup, LoadedAligner, AlignJob, AlignedAudio>(async (setup) => {
  const aligner = await loadAligner(setup.folder, setup)
  const { variant, settings } = aligner
  return {
    loaded: { variant, settings },
    run: ({ input, text, ...options }) => alignAudio(aligner, input, text, options),
  }
})
