import { parentPort, workerData } from 'node:worker_threads'
import { readPrefillWeights } from './prefill-weights.ts'
import { SpeechError } from './speech-error.ts'

/* Makes the prefill graph's weights while the thread that wants them loads its sessions. */

const { folder, recipe } = workerData as { readonly folder: string; readonly recipe: string }
try {
  const weights = await readPrefillWeights(folder, recipe)
  const buffers = weights.flatMap(({ levels, columns }) => [levels.buffer, columns.buffer]) as ArrayBuffer[]
  parentPort?.postMessage({ weights }, buffers)
} catch (error) {
  const { message, hint } = error as SpeechError
  if (!(error instanceof SpeechError)) throw error
  parentPort?.postMessage({ message, hint })
}
