import { parseChecked } from '../eval/checked-json.ts'
import { loadClip } from '../eval/runtime/audio/clip.ts'
import { USUAL_PROVIDER } from '../eval/runtime/providers.ts'
import { recognize } from '../eval/runtime/recognize.ts'
import { loadRecognizer, type Recognizer } from '../eval/runtime/recognizer.ts'
import { openRelease } from '../eval/runtime/release.ts'
import { number as figure, list, shape, text } from '../eval/runtime/schema.ts'
import type { ClipResult, LoadedResult } from './peer-process.ts'

/* This project's side of `npm run bench -- peers`, in a process of its own: a variant in its usual way. Prints one JSON object. */

const JOB = shape({
  model: text,
  variant: text,
  threads: figure,
  clips: list(shape({ file: text, newTokens: figure })),
})

const job = parseChecked(JOB, process.argv[2] ?? '', 'The job', (message) => new Error(message))
process.stdout.write(`${JSON.stringify(await measure())}\n`)

async function measure(): Promise<LoadedResult> {
  const { model, variant, threads } = job
  const [way] = (await openRelease(model)).variant(variant).ways(USUAL_PROVIDER)
  const started = performance.now()
  const recognizer = await loadRecognizer(model, { variant, threads, ...way })
  const load = (performance.now() - started) / 1000
  const clips = await Promise.all(
    job.clips.map(async ({ file, newTokens }) => ({ ...(await loadClip(file)), newTokens })),
  )
  for (const { samples } of clips) await transcribe(recognizer, samples, 2)
  const results: ClipResult[] = []
  for (const { samples, newTokens } of clips) results.push(await transcribe(recognizer, samples, newTokens))
  return { load, peak: 1024 * process.resourceUsage().maxRSS, clips: results }
}

async function transcribe(
  recognizer: Recognizer,
  samples: Float32Array,
  maxNewTokens: number,
): Promise<ClipResult> {
  const options = { maxNewTokens, stopLoops: false, maxPieceSeconds: Number.POSITIVE_INFINITY }
  const started = performance.now()
  const { pieces } = await recognize(recognizer, samples, options)
  const seconds = (performance.now() - started) / 1000
  const [piece] = pieces
  if (!piece) throw new Error('no piece was transcribed')
  const { generated, timing, firstToken } = piece
  return {
    ...{ seconds, tokens: generated, encoder: timing.encoder, prompt: timing.prefill, first: firstToken },
    step: generated > 1 ? timing.decode / (generated - 1) : null,
  }
}
