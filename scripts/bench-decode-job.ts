// SPDX-License-Identifier: Apache-2.0

import * as v from 'valibot'
import { parseChecked } from '../eval/checked-json.ts'
import { seededRandom } from '../eval/random.ts'
import { argmax, type Decoder, openDecoder } from '../eval/runtime/decoder.ts'
import { ALL_LAYOUTS } from '../eval/runtime/graphs.ts'
import { usualCache } from '../eval/runtime/load-cache.ts'
import { MEL_BINS } from '../eval/runtime/mel.ts'
import type { PromptInput } from '../eval/runtime/prompt.ts'
import { openVariantEmbeddings } from '../eval/runtime/quantized-embeddings.ts'
import { encode, loadRecognizer, type Recognizer } from '../eval/runtime/recognizer.ts'
import { openRelease } from '../eval/runtime/release.ts'
import { number as figure, list, type Parsed, shape, text } from '../eval/runtime/schema.ts'
import type { StepResult, UtteranceResult, WholeResult } from './decode-process.ts'
import { median } from './median.ts'

/*
 * One side of `npm run bench -- decode`, in a separate process: prints one JSON object. The largest logit is found and fed for as
 * many steps as asked, whatever it is: with random weights no sequence ends.
 */

const UTTERANCE = shape({
  /** of 10 ms */
  frames: figure,
  newTokens: figure,
})
const JOB = shape({
  folder: text,
  variant: text,
  layout: v.picklist(ALL_LAYOUTS, `one of ${ALL_LAYOUTS.join(', ')}`),
  prefill: v.picklist(['int8', 'same'], '"int8" or "same"'),
  threads: figure,
  measure: v.picklist(['steps', 'utterances'], '"steps" or "utterances"'),
  /** numbers of past tokens that steps are timed at */
  pasts: list(figure),
  /** steps that are timed at each */
  steps: figure,
  /** sequences that are decoded together, at the first of `pasts` */
  batches: list(figure),
  utterances: list(UTTERANCE),
})

/** What one process measures, as its only argument. */
export type DecodeJob = Parsed<typeof JOB>
/** Length of an utterance that is made up: mel frames of 10 ms, and the tokens of its answer. */
export type Utterance = Parsed<typeof UTTERANCE>

/** Tokens around the audio in a prompt without context. */
const FRAME_TOKENS = 15
const AUDIO_OFFSET = 9
/** Steps before those that are timed: the first ones are run by V8's interpreter. */
const WARM_UP = 10
const random = seededRandom(1)

const job = parseChecked(JOB, process.argv[2] ?? '', 'The job', (message) => new Error(message))
process.stdout.write(JSON.stringify(await (job.measure === 'steps' ? measureSteps() : measureUtterances())))

async function measureSteps(): Promise<StepResult> {
  const { folder, pasts, batches } = job
  const release = await openRelease(folder)
  const { config } = release
  const variant = release.variant(job.variant)
  const embeddings = await openVariantEmbeddings(release, variant)
  const decoder = await openDecoder({ release, variant }, embeddings, { ...job, cache: usualCache() })
  const loaded = process.memoryUsage.rss()
  const prompt = (length: number) => makePrompt(length - FRAME_TOKENS, config.hiddenSize)
  const steps: number[] = []
  for (const past of pasts) {
    await decoder.prefill([prompt(past)])
    steps.push(await timeStep(decoder, config.vocabSize))
    decoder.clear()
  }
  const used = process.memoryUsage.rss()
  const perSequence: number[] = []
  for (const size of batches) {
    while (decoder.rows < size) await decoder.prefill([prompt(pasts[0] ?? 0)])
    perSequence.push((await timeStep(decoder, config.vocabSize)) / size)
    decoder.clear()
  }
  return { loaded, used, steps, batches: perSequence }
}

/** The median of some steps, the search for the largest logits included. */
async function timeStep(decoder: Decoder, vocab: number): Promise<number> {
  const times: number[] = []
  let tokens = Array.from({ length: decoder.rows }, () => 100)
  for (let step = 0; step < job.steps + WARM_UP; step++) {
    const started = performance.now()
    const logits = await decoder.step(tokens)
    tokens = tokens.map((_, row) => argmax(logits, row, vocab))
    times.push((performance.now() - started) / 1000)
  }
  return median(times.slice(WARM_UP))
}

async function measureUtterances(): Promise<WholeResult> {
  const started = performance.now()
  const recognizer = await loadRecognizer(job.folder, { ...job, cache: usualCache() })
  const load = (performance.now() - started) / 1000
  // with new lengths, the runtime and the caches first ask the system for memory
  for (const { frames } of job.utterances) await transcribe(recognizer, { frames, newTokens: 3 })
  const results: UtteranceResult[] = []
  for (const utterance of job.utterances) results.push(await transcribe(recognizer, utterance))
  return { load, peak: 1024 * process.resourceUsage().maxRSS, utterances: results }
}

async function transcribe(
  recognizer: Recognizer,
  { frames, newTokens }: Utterance,
): Promise<UtteranceResult> {
  const { decoder, config } = recognizer
  const mel = { data: noise(MEL_BINS * frames), frames }
  const started = performance.now()
  const features = await encode(recognizer, mel)
  const encoded = performance.now()
  const { prompt } = makePrompt(features.length / config.hiddenSize, config.hiddenSize)
  let token = argmax(await decoder.prefill([{ prompt, features }]))
  const prefilled = performance.now()
  for (let step = 0; step < newTokens; step++) token = argmax(await decoder.step([token]))
  const ended = performance.now()
  decoder.clear()
  return {
    encoder: (encoded - started) / 1000,
    prefill: (prefilled - encoded) / 1000,
    decode: (ended - prefilled) / 1000,
  }
}

function makePrompt(audioTokens: number, hidden: number): PromptInput {
  const ids = Array.from({ length: audioTokens + FRAME_TOKENS }, () => Math.floor(random() * 400))
  return { prompt: { ids, audioOffset: AUDIO_OFFSET }, features: noise(audioTokens * hidden) }
}

function noise(length: number): Float32Array {
  return Float32Array.from({ length }, () => (random() - 0.5) / 5)
}
