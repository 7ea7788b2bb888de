import { logMel } from './mel.ts'
import { recognize } from './recognize.ts'
import { encode, type Recognizer } from './recognizer.ts'
import type { ReferenceArray } from './reference.ts'

/** What one path through the model made of a clip. */
export interface PathResult {
  readonly path: string
  readonly text: string
  /** end tokens left out */
  readonly tokens: readonly number[]
  /** audio features, [N, H] flat; undefined for what does not show them */
  readonly features: Float32Array | undefined
}

/** How a path differs from the first one. */
export interface PathComparison extends PathResult {
  /** tokens that are the same at the same place, of the longer of the two */
  readonly same: number
  readonly of: number
  /** where the tokens part, with what stands there; undefined when they do not */
  readonly divergence: { readonly at: number; readonly wanted: string; readonly found: string } | undefined
  /** largest absolute difference of the audio features, and of their mean square the root */
  readonly worst: number | undefined
  readonly rms: number | undefined
}

/** Tokens that are shown at a divergence. */
const SHOWN = 4

/** Run one loaded variant on a clip, whole and without a loop guard, as model.generate does. */
export async function runPath(
  path: string,
  recognizer: Recognizer,
  samples: Float32Array,
): Promise<PathResult> {
  const features = (await encode(recognizer, logMel(samples))).data
  const whole = { maxPieceSeconds: Number.POSITIVE_INFINITY, stopLoops: false }
  const { text, pieces } = await recognize(recognizer, samples, whole)
  const tokens = pieces.flatMap((piece) => piece.tokens)
  return { path, text, tokens, features: features instanceof Float32Array ? features : undefined }
}

/** PyTorch's result in the same form. */
export function referencePath(
  path: string,
  { tokens, features }: { readonly tokens: readonly number[]; readonly features: ReferenceArray },
  recognizer: Recognizer,
): PathResult {
  const kept = tokens.filter((token) => !recognizer.config.endIds.includes(token))
  const raw = recognizer.tokenizer.decode(kept)
  return { path, text: raw.replace(/^.*?<asr_text>/s, '').trim(), tokens: kept, features: features.data }
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
    const shown = (tokens: readonly number[]) => decode(tokens.slice(at, at + SHOWN))
    return {
      ...{ ...found, of, same: places.filter(Boolean).length },
      divergence: at < 0 ? undefined : { at, wanted: shown(wanted.tokens), found: shown(found.tokens) },
      ...differences(found.features, wanted.features),
    }
  })
}

function differences(found: Float32Array | undefined, wanted: Float32Array | undefined) {
  if (!found || !wanted || found.length !== wanted.length) return { worst: undefined, rms: undefined }
  let [worst, squares] = [0, 0]
  for (let i = 0; i < found.length; i++) {
    const difference = Math.abs((found[i] as number) - (wanted[i] as number))
    if (!(difference <= worst)) worst = difference // keeps a NaN
    squares += difference ** 2
  }
  return { worst, rms: Math.sqrt(squares / found.length) }
}
