import { parentPort, workerData } from 'node:worker_threads'
import { openEncoder } from './encoder.ts'
import type { EncoderJob, EncoderReply, EncoderSetup } from './encoder-thread.ts'
import { openRelease } from './release.ts'
import { SpeechError } from './speech-error.ts'

/* The thread of encoder-thread.ts. It ends itself between two runs: one that is terminated inside of a run takes the process along. */

const setup = workerData as EncoderSetup
const reply = (message: EncoderReply, moved: ArrayBuffer[] = []) => parentPort?.postMessage(message, moved)

try {
  const release = await openRelease(setup.folder)
  const encoder = await openEncoder({ release, variant: release.variant(setup.variant) }, setup)
  parentPort?.on('message', async (job: EncoderJob) => {
    if ('isEnd' in job) process.exit()
    try {
      const features = await encoder.run(job.mel)
      reply({ features }, [features.buffer as ArrayBuffer])
    } catch (error) {
      reply(problemOf(error))
    }
  })
  reply({ isLoaded: true })
} catch (error) {
  reply(problemOf(error))
  process.exit()
}

function problemOf(error: unknown): EncoderReply {
  const { message } = error as Error
  const isSpeech = error instanceof SpeechError
  return { message, hint: isSpeech ? error.hint : '', isSpeech }
}
