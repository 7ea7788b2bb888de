import type { Tensor } from 'onnxruntime-node'
import { logMel } from './mel.ts'
import { buildPrompt, type Prompt } from './prompt.ts'
import { recognize } from './recognize.ts'
import { argmax, audioTokens, encode, prefill, type Recognizer, type Step, step } from './recognizer.ts'
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
  const { prompt, first } = await start(recognizer, features)
  const found = features.data as Float32Array
  return [
    { check: 'mel', clip, worst: worst(mel.data, reference.mel), tolerance: TOLERANCE.mel },
    { check: 'features', clip, worst: worst(found, reference.features), tolerance: TOLERANCE.features },
    { check: 'prompt ids', clip, worst: differing(prompt.ids, reference.promptIds), tolerance: 0 },
    ...compareLogits(await forcedLogits(recognizer, prompt, first, reference), reference),
  ]
}

function compareLogits(rows: readonly Float32Array[], reference: Reference): Comparison[] {
  const clip = reference.id
  const worsts = rows.map((found, row) => worst(found, rowOf(reference.logits, row)))
  const [first, ...steps] = worsts
  const prefill = { check: 'prefill logits', clip, tolerance: TOLERANCE.prefill } as const
  const step = { check: 'step logits', clip, tolerance: TOLERANCE.steps } as const
  return [
    ...(first === undefined ? [] : [{ ...prefill, worst: first }]),
    ...(steps.length === 0 ? [] : [{ ...step, worst: Math.max(...steps) }]),
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

/** Logits of a variant along PyTorch's own tokens, against PyTorch's logits. */
export async function measureAgreement(
  recognizer: Recognizer,
  samples: Float32Array,
  reference: Reference,
): Promise<Agreement> {
  const { prompt, first } = await start(recognizer, await encode(recognizer, logMel(samples)))
  const rows = await forcedLogits(recognizer, prompt, first, reference)
  let sameTop1 = 0
  let sum = 0
  rows.forEach((found, row) => {
    const wanted = rowOf(reference.logits, row).data
    if (argmax(found) === argmax(wanted)) sameTop1++
    sum += cosine(found, wanted)
  })
  return { clip: reference.id, positions: rows.length, sameTop1, cosine: sum }
}

export function passes({ worst, tolerance }: Comparison): boolean {
  return worst <= tolerance // false for NaN
}

async function start(recognizer: Recognizer, features: Tensor): Promise<{ prompt: Prompt; first: Step }> {
  const prompt = buildPrompt(recognizer.tokenizer, audioTokens(features))
  return { prompt, first: await prefill(recognizer, prompt, features) }
}

/** One row of logits for each of the reference's, with the reference's tokens fed in. */
async function forcedLogits(
  recognizer: Recognizer,
  prompt: Prompt,
  first: Step,
  reference: Reference,
): Promise<Float32Array[]> {
  const rows: Float32Array[] = []
  let { logits, cache } = first
  for (let row = 0; row < (reference.logits?.shape[0] ?? 0); row++) {
    if (row > 0) {
      const token = reference.tokens[row - 1] ?? 0
      ;({ logits, cache } = await step(recognizer, token, prompt.ids.length + row - 1, cache))
    }
    rows.push(logits)
  }
  return rows
}

function rowOf(logits: ReferenceArray | undefined, row: number): ReferenceArray {
  const width = logits?.shape[1] ?? 0
  return { data: logits?.data.subarray(row * width, (row + 1) * width) ?? new Float32Array(), shape: [width] }
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
