import { type AlignedAudio, alignAudio, loadAligner } from './aligner/aligner.ts'
import type { AlignerSetup, AlignJob, LoadedAligner } from './aligner-thread.ts'
import { serveCalls } from './serve-calls.ts'

/* The thread of aligner-thread.ts. */

await serveCalls<AlignerSetup, LoadedAligner, AlignJob, AlignedAudio>(async (setup) => {
  const aligner = await loadAligner(setup.folder, setup)
  const { variant, settings } = aligner
  const alignOne = ({ input, text, ...options }: AlignJob) => alignAudio(aligner, input, text, options)
  let isWarm = !setup.warmUp
  return {
    loaded: { variant, settings },
    async run(job) {
      if (!isWarm) await alignOne(job) // one that cannot be aligned says so, and the next one warms up
      isWarm = true
      return alignOne(job)
    },
  }
})
