// SPDX-License-Identifier: Apache-2.0

import { Qwen3Asr } from 'qwen3-asr-onnx'

/*
 * This project's side of `npm run bench -- peers`, in a separate process: a variant as a program loads it that imports the built
 * package, without a compiler in the process. Its argument is {model, variant, threads, clips: [{file, newTokens}]}. Prints what
 * LOADED_RESULT in peer-process.ts describes.
 */

const { model, clips, ...options } = JSON.parse(process.argv[2])
process.stdout.write(`${JSON.stringify(await measure())}\n`)

async function measure() {
  const started = performance.now()
  const asr = await Qwen3Asr.load(model, options)
  const load = (performance.now() - started) / 1000
  for (const { file } of clips) await transcribe(asr, file, 2)
  const results = []
  for (const { file, newTokens } of clips) results.push(await transcribe(asr, file, newTokens))
  const peak = 1024 * process.resourceUsage().maxRSS
  await asr.dispose()
  return { load, peak, clips: results }
}

async function transcribe(asr, file, maxNewTokens) {
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
