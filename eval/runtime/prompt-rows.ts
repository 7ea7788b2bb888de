// SPDX-License-Identifier: Apache-2.0

import type { EmbeddingTable } from './embeddings.ts'
import { Tensor } from './onnxruntime.ts'
import { type PromptInput, promptEmbeddings } from './prompt.ts'
import { floats } from './session.ts'

/* The embeddings of prompts as the fused graphs take them. */

/** Embeddings of prompts, and of a draft behind a single one, [inputs, longest + draft, hidden]; zeros behind the shorter ones. */
export function promptBatch(
  inputs: readonly PromptInput[],
  longest: number,
  embeddings: EmbeddingTable,
  draft: readonly number[] = [],
): Tensor {
  const { hidden } = embeddings
  const length = longest + draft.length
  const embeds = new Float32Array(inputs.length * length * hidden)
  for (const [row, { prompt, features }] of inputs.entries())
    promptEmbeddings(prompt, features, embeddings, embeds.subarray(row * length * hidden))
  for (const [i, token] of draft.entries()) embeddings.read(token, embeds, (longest + i) * hidden)
  return new Tensor('float32', embeds, [inputs.length, length, hidden])
}

/** [rows, S, hidden] without the last positions of all. */
export function shorter(embeds: Tensor, positions: number): Tensor {
  const [rows, length, hidden] = embeds.dims as [number, number, number]
  const all = floats(embeds)
  const kept = length - positions
  if (rows === 1) return new Tensor('float32', all.subarray(0, kept * hidden), [1, kept, hidden])
  const cut = new Float32Array(rows * kept * hidden)
  for (let row = 0; row < rows; row++) {
    const start = row * length * hidden
    cut.set(all.subarray(start, start + kept * hidden), row * kept * hidden)
  }
  return new Tensor('float32', cut, [rows, kept, hidden])
}

/** [1, S, hidden] without the first positions. */
export function tail(embeds: Tensor, first: number): Tensor {
  const [, length, hidden] = embeds.dims as [number, number, number]
  return new Tensor('float32', floats(embeds).subarray(first * hidden), [1, length - first, hidden])
}

/** Each row's positions from `starts` on, [rows, positions, hidden]. */
export function lastRows(embeds: Tensor, starts: readonly number[], positions: number): Tensor {
  const [rows, longest, hidden] = embeds.dims as [number, number, number]
  const size = positions * hidden
  const last = new Float32Array(rows * size)
  for (const [row, position] of starts.entries()) {
    const start = (row * longest + position) * hidden
    last.set(floats(embeds).subarray(start, start + size), row * size)
  }
  return new Tensor('float32', last, [rows, positions, hidden])
}

/** The lengths at whose ends there are logits: of each row `positions`, from the given one on. */
export function ends(lengths: readonly number[], positions: number): number[] {
  return lengths.flatMap((length) => Array.from({ length: positions }, (_, i) => length + i))
}

/**
 * Inputs of the fused graph for rows: `input_embeds` [rows, S, hidden], `input_lengths` [rows] and `past_lengths`
 * [rows].
 */
export function newRows(
  embeds: Tensor,
  lengths: readonly number[],
  past: readonly number[],
): Record<string, Tensor> {
  return { input_embeds: embeds, input_lengths: integers(lengths), past_lengths: integers(past) }
}

function integers(values: readonly number[]): Tensor {
  return new Tensor('int64', BigInt64Array.from(values, BigInt), [values.length])
}
