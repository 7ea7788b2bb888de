// SPDX-License-Identifier: Apache-2.0

import { type AlignedAudio, alignAudio, alignUnits, loadAligner, type UnitTimes } from './aligner/aligner.ts'
import type { AlignerSetup, AlignJob, LoadedAligner, UnitsJob } from './aligner-thread.ts'
import { serveCalls } from './serve-calls.ts'

/* The thread of aligner-thread.ts. */

type Job = AlignJob | UnitsJob

await serveCalls<AlignerSetup, LoadedAligner, Job, AlignedAudio | UnitTimes>(async (setup) => {
  const aligner = await loadAligner(setup.folder, setup)
  const { variant, settings } = aligner
  const alignOne = (job: Job) => {
    if ('spoken' in job) return alignUnits(aligner, job.samples, job.spoken)
    const { input, text, ...options } = job
    return alignAudio(aligner, input, text, options)
  }
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
