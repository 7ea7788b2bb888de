import { logMel } from './mel.ts'
import { buildPrompt } from './prompt.ts'
import { argmax, audioTokens, encode, prefill, type Recognizer, recognize, step } from './recognizer.ts'
import type { Reference, ReferenceArray } from './reference.ts'

/** Largest absolute difference from PyTorch that FP32 may have. */
export const TOLERANCE = { mel: 1e-4, features: 1e-4, prefill: 1e-3, steps: 1e-3 } as const

/** Everything that is compared; a report without one of these is none. */
export const CHECKS = [
  'mel',
  'features',
  'prompt ids',
  'prefill logits',
  'step logits',
  'greedy tokens',
] as const

/** One comparison of one clip. `worst` is a largest absolute difference, or a count of differing items. */
export interface Comparison {
  readonly check: (typeof CHECKS)[number]
  readonly clip: string
  readonly worst: number
  readonly tolerance: number
}

/** How close a quantized variant's logits stay to PyTorch's FP32. */
export interface Agreement {
  readonly clip: string
  readonly positions: number
  readonly sameTop1: number
  /** sum of the cosines of all positions */
  readonly cosine: number
}

/** Compare every stage of the FP32 release with PyTorch on one clip, each on what the release itself computed. */
export async function compareClip(
  recognizer: Recognizer,
  samples: Float32Array,
  reference: Reference,
): Promise<Comparison[]> {
  const clip = reference.id
  const mel = logMel(samples)
  const features = await encode(recognizer, mel)
  const prompt = buildPrompt(recognizer.tokenizer, audioTokens(features))
  const compared: Comparison[] = [
    { check: 'mel', clip, worst: worst(mel.data, reference.mel), tolerance: TOLERANCE.mel },
    {
      check: 'features',
      clip,
      worst: worst(features.data as Float32Array, reference.features),
      tolerance: TOLERANCE.features,
    },
    { check: 'prompt ids', clip, worst: differing(prompt.ids, reference.promptIds), tolerance: 0 },
  ]
  if (reference.logits) {
    const [first, ...rest] = await forcedLogits(recognizer, samples, reference)
    const at = (row: number, found: Float32Array) =>
      worst(found, rowOf(reference.logits as ReferenceArray, row))
    if (first)
      compared.push({ check: 'prefill logits', clip, worst: at(0, first), tolerance: TOLERANCE.prefill })
    const steps = rest.map((found, i) => at(i + 1, found))
    if (steps.length > 0) {
      compared.push({ check: 'step logits', clip, worst: Math.max(...steps), tolerance: TOLERANCE.steps })
    }
  }
  return compared
}

/** Compare the greedy transcript's tokens with model.generate's. */
export async function compareTokens(
  recognizer: Recognizer,
  samples: Float32Array,
  reference: Reference,
  maxNewTokens: number,
): Promise<Comparison> {
  const { tokens } = await recognize(recognizer, samples, { maxNewTokens })
  const wanted = reference.tokens.filter((token) => !recognizer.config.endIds.includes(token))
  return { check: 'greedy tokens', clip: reference.id, worst: differing(tokens, wanted), tolerance: 0 }
}

/** Logits of a variant along PyTorch's own tokens, against PyTorch's logits. */
export async function measureAgreement(
  recognizer: Recognizer,
  samples: Float32Array,
  reference: Reference,
): Promise<Agreement> {
  const rows = await forcedLogits(recognizer, samples, reference)
  let sameTop1 = 0
  let sum = 0
  rows.forEach((found, row) => {
    const wanted = rowOf(reference.logits as ReferenceArray, row).data
    if (argmax(found) === argmax(wanted)) sameTop1++
    sum += cosine(found, wanted)
  })
  return { clip: reference.id, positions: rows.length, sameTop1, cosine: sum }
}

export function passes({ worst, tolerance }: Comparison): boolean {
  return worst <= tolerance // false for NaN
}

/** One row of logits for each of the reference's, with the reference's tokens fed in. */
async function forcedLogits(
  recognizer: Recognizer,
  samples: Float32Array,
  reference: Reference,
): Promise<Float32Array[]> {
  const features = await encode(recognizer, logMel(samples))
  const prompt = buildPrompt(recognizer.tokenizer, audioTokens(features))
  let { logits, cache } = await prefill(recognizer, prompt, features)
  const rows = [logits]
  for (let i = 1; i < (reference.logits?.shape[0] ?? 0); i++) {
    const token = reference.tokens[i - 1] ?? 0
    ;({ logits, cache } = await step(recognizer, token, prompt.ids.length + i - 1, cache))
    rows.push(logits)
  }
  return rows
}

function rowOf({ data, shape }: ReferenceArray, row: number): ReferenceArray {
  const width = shape[1] ?? 0
  return { data: data.subarray(row * width, (row + 1) * width), shape: [width] }
}

/** Largest absolute difference; infinite for another length, NaN when either holds a NaN. */
function worst(found: Float32Array, wanted: ReferenceArray): number {
  if (found.length !== wanted.data.length) return Number.POSITIVE_INFINITY
  let largest = 0
  for (let i = 0; i < found.length; i++) {
    const difference = Math.abs((found[i] as number) - (wanted.data[i] as number))
    if (Number.isNaN(difference)) return Number.NaN
    if (difference > largest) largest = difference
  }
  return largest
}

function differing(found: readonly number[], wanted: readonly number[]): number {
  const length = Math.max(found.length, wanted.length)
  return Array.from({ length }, (_, i) => found[i] !== wanted[i]).filter(Boolean).length
}

function cosine(a: Float32Array, b: Float32Array): number {
  let [dot, aa, bb] = [0, 0, 0]
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i] as number, b[i] as number]
    dot += x * y
    aa += x * x
    bb += y * y
  }
  return dot / Math.sqrt(aa * bb)
}
