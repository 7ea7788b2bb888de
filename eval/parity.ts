// SPDX-License-Identifier: Apache-2.0

import { differenceOf, nonFinite } from './difference.ts'
import type { Reference, ReferenceArray } from './reference.ts'
import { argmax } from './runtime/decoder.ts'
import { logMel } from './runtime/mel.ts'
import type { PromptInput } from './runtime/prompt.ts'
import { recognize } from './runtime/recognize.ts'
import { encode, promptOf, type Recognizer } from './runtime/recognizer.ts'
import { SPECIAL_TOKENS } from './runtime/tokenizer.ts'

/* A recognizer's release against PyTorch, stage by stage. */

/** Largest absolute difference from PyTorch that the log mel may have: it is the same code for every provider. */
export const MEL_TOLERANCE = 1e-4

/** What is compared. */
export type Check =
  | 'mel'
  | 'features'
  | 'prompt ids'
  | 'prefill logits'
  | 'step logits'
  | 'greedy tokens'
  | `${'batched' | 'split'} ${'logits' | 'tokens'}`

/** Largest absolute differences from PyTorch. */
interface Tolerance {
  readonly features: number
  readonly logits: number
}

/** One comparison of one clip. `worst` is a largest absolute difference, or a count of differing items. */
export interface Comparison {
  readonly check: Check
  readonly clip: string
  readonly worst: number
  readonly tolerance: number
  /** why nothing was measured: a value that is not finite, on whichever side, or another length; `worst` is NaN then */
  readonly problem?: string
}

/** Called with two arrays [V] of finite logits, those found and PyTorch's, and PyTorch's token there. */
export type Look = (found: Float32Array, wanted: Float32Array, token: number) => void

/**
 * Compare every stage of the FP32 release with PyTorch on one clip, each on what the release itself computed.
 * @param look called at every position of finite logits, as {@link followLogits} does
 */
export async function compareClip(
  recognizer: Recognizer,
  samples: Float32Array,
  reference: Reference,
  tolerance: Tolerance,
  look: Look = () => undefined,
): Promise<Comparison[]> {
  const clip = reference.id
  const mel = logMel(samples)
  const features = await encode(recognizer, mel)
  const prompt = promptOf(recognizer, features)
  const steps = { ...reference, tokens: reference.tokens.slice(0, reference.logits?.shape[0] ?? 0) }
  const [followed] = await follow(recognizer, [{ reference: steps, input: { prompt, features } }], look)
  const { prefill = NONE, steps: worstStep } = followed ?? {}
  const measured = (check: Check, difference: Measured, allowed: number): Comparison => ({
    ...{ check, clip, tolerance: allowed },
    ...difference,
  })
  return [
    measured('mel', worst(mel.data, reference.mel), MEL_TOLERANCE),
    measured('features', worst(features, reference.features), tolerance.features),
    { check: 'prompt ids', clip, worst: differing(prompt.ids, reference.promptIds), tolerance: 0 },
    measured('prefill logits', prefill, tolerance.logits),
    ...(worstStep === undefined ? [] : [measured('step logits', worstStep, tolerance.logits)]),
  ]
}

/** Compare the greedy transcript's tokens with model.generate's. */
export async function compareTokens(
  recognizer: Recognizer,
  samples: Float32Array,
  reference: Reference,
): Promise<Comparison> {
  const { pieces } = await recognize(recognizer, samples, {
    maxPieceSeconds: Number.POSITIVE_INFINITY,
    stopLoops: false, // as model.generate
  })
  const tokens = pieces.flatMap((piece) => piece.tokens)
  const wanted = reference.tokens.filter((token) => !recognizer.config.endIds.includes(token))
  return { check: 'greedy tokens', clip: reference.id, worst: differing(tokens, wanted), tolerance: 0 }
}

/**
 * Compare the decoder alone, on PyTorch's audio features and along PyTorch's tokens. All clips are in one batch, the
 * prompts padded to the longest, as readers may run the fused graph; or with the split graphs. Where the largest
 * logit is PyTorch's token at every position, greedy decoding gives PyTorch's tokens.
 */
export async function compareDecoder(
  recognizer: Recognizer,
  name: 'batched' | 'split',
  references: readonly Reference[],
  tolerance: Tolerance,
): Promise<Comparison[]> {
  const audioPad = recognizer.tokenizer.idOf(SPECIAL_TOKENS.audioPad)
  const rows = references.map((reference): Followed => {
    const prompt = { ids: reference.promptIds, audioOffset: reference.promptIds.indexOf(audioPad) }
    return { reference, input: { prompt, features: reference.features.data } }
  })
  const followed = await follow(recognizer, rows)
  return followed.flatMap(({ prefill, steps, otherTokens }, i): Comparison[] => {
    const clip = references[i]?.id ?? ''
    return [
      { check: `${name} logits`, clip, tolerance: tolerance.logits, ...larger(prefill, steps) },
      { check: `${name} tokens`, clip, worst: otherTokens, tolerance: 0 },
    ]
  })
}

/**
 * Lead a variant along PyTorch's own tokens, and show its logits beside PyTorch's at every position that PyTorch's are
 * known of.
 * @returns the first logit that is not finite, on whichever side; nothing is shown from there on
 */
export async function followLogits(
  recognizer: Recognizer,
  samples: Float32Array,
  reference: Reference,
  look: Look,
): Promise<string | undefined> {
  const features = await encode(recognizer, logMel(samples))
  const prompt = promptOf(recognizer, features)
  const tokens = reference.tokens.slice(0, reference.logits?.shape[0] ?? 0)
  let problem: string | undefined
  await feed(
    recognizer,
    [{ reference: { ...reference, tokens }, input: { prompt, features } }],
    (_, position, found) => {
      const wanted = rowOf(reference.logits, position)
      problem ??= worst(found, wanted, position).problem
      if (problem === undefined) look(found, wanted.data, tokens[position] ?? Number.NaN)
    },
  )
  return problem
}

/** One sequence that is led along PyTorch's tokens. */
interface Followed {
  readonly reference: Pick<Reference, 'tokens' | 'logits'>
  readonly input: PromptInput
}

/** A largest difference, or why there is none. */
type Measured = Pick<Comparison, 'worst' | 'problem'>

const NONE: Measured = { worst: Number.NaN, problem: 'PyTorch has no logits to compare with' }

interface Differences {
  /** of the logits, where PyTorch's are known; of steps undefined when there was none */
  prefill: Measured
  steps: Measured | undefined
  /** positions where the largest logit is not that of PyTorch's token */
  otherTokens: number
}

/** How far the decoder is from PyTorch along PyTorch's tokens. */
async function follow(
  recognizer: Recognizer,
  rows: readonly Followed[],
  look: Look = () => undefined,
): Promise<Differences[]> {
  const results = rows.map((): Differences => ({ prefill: NONE, steps: undefined, otherTokens: 0 }))
  await feed(recognizer, rows, (row, position, found) => {
    const [{ reference }, result] = [rows[row] as Followed, results[row] as Differences]
    if (nonFinite(found) !== undefined || argmax(found) !== reference.tokens[position]) result.otherTokens++
    if (position >= (reference.logits?.shape[0] ?? 0)) return
    const wanted = rowOf(reference.logits, position)
    const difference = worst(found, wanted, position)
    if (difference.problem === undefined) look(found, wanted.data, reference.tokens[position] ?? Number.NaN)
    if (position === 0) result.prefill = difference
    else result.steps = larger(difference, result.steps)
  })
  return results
}

/** The larger one; a problem is larger than any difference, and the first one stays. */
function larger(a: Measured, b: Measured | undefined): Measured {
  if (b === undefined || (a.problem !== undefined && b.problem === undefined)) return a
  return b.problem !== undefined || b.worst > a.worst ? b : a
}

/** Feed all rows PyTorch's tokens, and show the logits [V] that predict each. */
async function feed(
  { decoder, config }: Recognizer,
  rows: readonly Followed[],
  look: (row: number, position: number, logits: Float32Array) => void,
): Promise<void> {
  const { vocabSize } = config
  /** which of `rows` stands in each row of the decoder */
  const places = rows.map((_, i) => i)
  try {
    let logits = await decoder.prefill(rows.map(({ input }) => input))
    for (let position = 0; ; position++) {
      for (const [place, row] of places.entries())
        look(row, position, logits.subarray(place * vocabSize, (place + 1) * vocabSize))
      for (let place = places.length - 1; place >= 0; place--) {
        if (position + 1 < (rows[places[place] as number]?.reference.tokens.length ?? 0)) continue
        decoder.remove(place)
        const last = places.pop() as number
        if (place < places.length) places[place] = last
      }
      if (places.length === 0) return
      logits = await decoder.step(places.map((row) => rows[row]?.reference.tokens[position] ?? 0))
    }
  } finally {
    decoder.clear()
  }
}

function rowOf(logits: ReferenceArray | undefined, row: number): ReferenceArray {
  const width = logits?.shape[1] ?? 0
  return { data: logits?.data.subarray(row * width, (row + 1) * width) ?? new Float32Array(), shape: [width] }
}

/** @param position of the token that logits predict, for the problem */
function worst(found: Float32Array, wanted: ReferenceArray, position?: number): Measured {
  const at = position === undefined ? '' : `, logits of token ${position + 1},`
  const names = { found: `onnxruntime${at}`, wanted: `PyTorch${at}` }
  const { worst, problem } = differenceOf(found, wanted.data, names)
  return problem === undefined ? { worst } : { worst, problem }
}

function differing(found: readonly number[], wanted: readonly number[]): number {
  const length = Math.max(found.length, wanted.length)
  return Array.from({ length }, (_, i) => found[i] !== wanted[i]).filter(Boolean).length
}
