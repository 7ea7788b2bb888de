// SPDX-License-Identifier: Apache-2.0

import { differenceOf } from './difference.ts'
import type { Reference } from './reference.ts'
import { logMel } from './runtime/mel.ts'
import { recognize } from './runtime/recognize.ts'
import { encode, type Recognizer } from './runtime/recognizer.ts'
import { SpeechError } from './runtime/speech-error.ts'

/* Paths through a model (PyTorch, and variants of a release) beside each other on one clip. */

/** What one path through the model made of a clip. */
export interface PathResult {
  readonly path: string
  readonly text: string
  /** end tokens left out */
  readonly tokens: readonly number[]
  /** log mel, [128, T] flat */
  readonly mel: Float32Array
  /** audio features, [N, H] flat */
  readonly features: Float32Array
  /** why there is no text */
  readonly problem?: string
}

/** How a path differs from the first one. */
export interface PathComparison extends PathResult {
  /** tokens that are the same at the same place, of the longer of the two */
  readonly same: number
  readonly of: number
  /** where the tokens part, with what stands there; undefined when they do not */
  readonly divergence: { readonly at: number; readonly wanted: string; readonly found: string } | undefined
  /** largest absolute differences; NaN where there is a problem */
  readonly worstMel: number
  readonly worstFeature: number
  /** root of the mean square of the features' differences */
  readonly rmsFeature: number
  /** why it does not agree with the first, or is not right itself: values that are not finite, other lengths */
  readonly problems: readonly string[]
}

/** Tokens that are shown at a divergence. */
const SHOWN = 4

/**
 * Run one loaded variant on a clip, whole and without a loop guard, as model.generate does.
 * @param samples 16 kHz mono
 * @throws SpeechError when the encoder's output is not float32
 */
export async function runPath(
  path: string,
  recognizer: Recognizer,
  samples: Float32Array,
  maxNewTokens: number,
): Promise<PathResult> {
  const mel = logMel(samples)
  const features = await encode(recognizer, mel)
  const whole = { maxNewTokens, maxPieceSeconds: Number.POSITIVE_INFINITY, stopLoops: false }
  try {
    const { text, pieces } = await recognize(recognizer, samples, whole)
    return { path, text, tokens: pieces.flatMap(({ tokens }) => tokens), mel: mel.data, features }
  } catch (error) {
    if (!(error instanceof SpeechError)) throw error
    return { path, text: '', tokens: [], mel: mel.data, features, problem: `${path}: ${error.message}` }
  }
}

/** PyTorch's result in the same form. */
export function referencePath(
  path: string,
  { tokens, mel, features }: Pick<Reference, 'tokens' | 'mel' | 'features'>,
  recognizer: Recognizer,
): PathResult {
  const kept = tokens.filter((token) => !recognizer.config.endIds.includes(token))
  const raw = recognizer.tokenizer.decode(kept)
  return {
    path,
    text: raw.replace(/^.*?<asr_text>/s, '').trim(),
    tokens: kept,
    mel: mel.data,
    features: features.data,
  }
}

/** Put every path beside the first. */
export function comparePaths(
  results: readonly PathResult[],
  decode: (tokens: readonly number[]) => string,
): PathComparison[] {
  const [wanted] = results
  if (!wanted) return []
  return results.map((found) => {
    const of = Math.max(found.tokens.length, wanted.tokens.length)
    const places = Array.from({ length: of }, (_, i) => found.tokens[i] === wanted.tokens[i])
    const at = places.indexOf(false)
    const sides = (what: string) => ({ found: `${found.path}: ${what}`, wanted: `${wanted.path}: ${what}` })
    const mel = differenceOf(found.mel, wanted.mel, sides('mel'))
    const features = differenceOf(found.features, wanted.features, sides('features'))
    const shown = (tokens: readonly number[]) => decode(tokens.slice(at, at + SHOWN))
    return {
      ...{ ...found, of, same: places.filter(Boolean).length },
      divergence: at < 0 ? undefined : { at, wanted: shown(wanted.tokens), found: shown(found.tokens) },
      worstMel: mel.worst,
      worstFeature: features.worst,
      rmsFeature: features.rms,
      problems: [found.problem, mel.problem, features.problem].filter((problem) => problem !== undefined),
    }
  })
}
