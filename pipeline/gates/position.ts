// SPDX-License-Identifier: Apache-2.0

import { argmax } from '../../eval/runtime/decoder.ts'
import type { ClipPositions, Position } from './gate.ts'

/* A variant's logits against the reference's, at one position. */

/**
 * How far a variant's logits are from the reference's where the reference says the next token.
 * @param found logits [V], finite @param wanted the reference's, finite
 * @param token that the reference chose
 */
export function comparePosition(found: Float32Array, wanted: Float32Array, token: number): Position {
  return { kld: divergence(found, wanted), cosine: cosine(found, wanted), isSame: argmax(found) === token }
}

/**
 * How much of what the reference says of the next token is lost: the Kullback-Leibler divergence of its distribution
 * from that of a variant, in nats.
 * @param found logits [V] @param wanted the reference's, of the same length
 */
export function divergence(found: Float32Array, wanted: Float32Array): number {
  const [own, reference] = [logSum(found), logSum(wanted)]
  let sum = 0
  for (let i = 0; i < wanted.length; i++) {
    const logP = (wanted[i] as number) - reference
    sum += Math.exp(logP) * (logP - (found[i] as number) + own)
  }
  return Math.max(0, sum) // rounding may leave it a little below
}

/** ln of the sum of e^x, without overflow. */
function logSum(logits: Float32Array): number {
  let largest = Number.NEGATIVE_INFINITY
  for (const value of logits) if (value > largest) largest = value
  let sum = 0
  for (const value of logits) sum += Math.exp(value - largest)
  return largest + Math.log(sum)
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

/** Of all clips, after each other. */
export function positionsOf(clips: readonly ClipPositions[]): readonly Position[] {
  return clips.flatMap(({ positions }) => positions)
}

/** NaN of none. */
export function meanOf(values: readonly number[]): number {
  return values.length === 0 ? Number.NaN : values.reduce((sum, value) => sum + value, 0) / values.length
}
