// SPDX-License-Identifier: Apache-2.0

import { parseChecked } from '../eval/checked-json.ts'
import { Qwen3Asr } from '../eval/runtime/qwen3-asr.ts'
import { number as figure, list, shape, text } from '../eval/runtime/schema.ts'
import type { ClipResult, LoadedResult } from './peer-process.ts'

/* This project's side of `npm run bench -- peers`, in a separate process: a variant as the runtime loads it. Prints one JSON object. */

const JOB = shape({
  model: text,
  variant: text,
  threads: figure,
  clips: list(shape({ file: text, newTokens: figure })),
})

const { model, clips, ...options } = parseChecked(JOB, process.argv[2] ?? '', 'The job', (message) => {
  return new Error(message)
})
process.stdout.write(`${JSON.stringify(await measure())}\n`)

async function measure(): Promise<LoadedResult> {
  const started = performance.now()
  const asr = await Qwen3Asr.load(model, options)
  const load = (performance.now() - started) / 1000
  for (const { file } of clips) await transcribe(asr, file, 2)
  const results: ClipResult[] = []
  for (const { file, newTokens } of clips) results.push(await transcribe(asr, file, newTokens))
  const peak = 1024 * process.resourceUsage().maxRSS
  await asr.dispose()
  return { load, peak, clips: results }
}

async function transcribe(asr: Qwen3Asr, file: string, maxNewTokens: number): Promise<ClipResult> {
  const started = performance.now()
  const { timing, segments } = await asr.transcribe(file, { maxNewTokens, stopLoops: false })
  const seconds = (performance.now() - started) / 1000
  const tokens = segments.reduce((sum, segment) => sum + segment.tokens, 0)
  const { mel, encoder, prefill, decode } = timing
  return {
    ...{ seconds, tokens, encoder, prompt: prefill, first: mel + encoder + prefill },
    step: tokens > 1 ? decode / (tokens - 1) : null,
  }
}
