import type { LogitsGate, WayValues } from './gate.ts'

/**
 * All ways through a variant have the same weights: prompts in 8 bits, or another layout, must not cost what quantizing
 * does. A way loses what its mean cosine is below that of the best.
 */
export const ways: LogitsGate = {
  kind: 'logits',
  on: 'cuts',
  about:
    'what a way loses against the best one through the same weights, of the mean cosine of its logits with PyTorch',
  figures: (all, { cosine: limit }) => all.map((way) => ({ ...way, gate: 'cosine loss', limit })),
  position: cosine,
  judge(measured, { cosine: limit = 0 }) {
    const means = measured.map(({ values }) => meanOf(values))
    const best = Math.max(...means.filter(Number.isFinite))
    return measured.map(({ way, problem }: WayValues, i) => ({
      ...{ ...way, gate: 'cosine loss', limit, found: best - (means[i] ?? Number.NaN) },
      ...(problem === undefined ? { note: `mean cosine ${means[i]?.toFixed(5)}` } : { problem }),
    }))
  },
}

export function meanOf(values: readonly number[]): number {
  return values.length === 0 ? Number.NaN : values.reduce((sum, value) => sum + value, 0) / values.length
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
