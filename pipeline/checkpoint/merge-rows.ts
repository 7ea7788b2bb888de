// SPDX-License-Identifier: Apache-2.0

import type { open } from 'node:fs/promises'
import { Failure } from '../shared/failure.ts'
import { MERGE_WITH_PEFT } from './adapter-config.ts'
import type { Change, MergedTensor } from './adapter-plan.ts'
import { ADAPTER_WEIGHTS, type AdapterTensor } from './adapter-tensors.ts'
import { readValues, rounded } from './weight-values.ts'

/*
 * The arithmetic of peft's merge_and_unload on a processor (peft 0.21 `Linear.merge`, `Embedding.merge`,
 * `_ConvNd.merge`, `DoraLinearVariant.merge_unsafe`). Factors are float32, and so is their product in float32 by
 * fused steps in the order of the ranks, as PyTorch's kernels take it, times the scale in float32, added to the
 * weight in float32; the caller rounds to the weight's type.
 */

type File = Awaited<ReturnType<typeof open>>

/** Changes rows of a tensor in place. @param first which row of the tensor comes first in `values` */
export type ChangeRows = (values: Float32Array, first: number) => void

/**
 * Load what a change needs: the factors of a product, never the weight.
 * @param file of the adapter
 * @throws Failure naming a tensor of the adapter that holds a value that is not finite
 */
export async function loadChange(
  file: File,
  { base, change }: Pick<MergedTensor, 'base' | 'change'>,
): Promise<ChangeRows> {
  if (change === undefined) return () => {}
  const [rows = 0, ...others] = base.shape
  const cols = others.reduce((product, size) => product * size, 1)
  if (change.kind === 'bias') return addition(await finite(file, change.addend), change.scale)
  if (change.kind === 'rows') return replacement(await finite(file, change.rows), change.indices, cols)
  const [a, b] = [await finite(file, change.a), await finite(file, change.b)]
  if (change.kind === 'embedding') return tableProduct(a, b, change, { rows, cols, dtype: base.dtype })
  const magnitude = change.magnitude && (await finite(file, change.magnitude))
  const isFused = others.length === 1 || others[0] !== 1
  return product(a, b, { scale: change.scale, cols, isFused, ...(magnitude && { magnitude }) })
}

async function finite(file: File, tensor: AdapterTensor): Promise<Float32Array> {
  const values = await readValues(file, tensor)
  if (values.every(Number.isFinite)) return values
  throw new Failure(
    `${ADAPTER_WEIGHTS}: ${tensor.key} holds NaN or an infinity.`,
    'Its training has failed; take an earlier checkpoint of it.',
  )
}

function addition(addend: Float32Array, scale: number): ChangeRows {
  const factor = Math.fround(scale)
  return (values, first) => {
    for (let i = 0; i < values.length; i++)
      values[i] = (values[i] as number) + Math.fround((addend[first + i] as number) * factor)
  }
}

function replacement(rows: Float32Array, indices: readonly number[], cols: number): ChangeRows {
  return (values, first) => {
    for (const [i, index] of indices.entries()) {
      const at = (index - first) * cols
      if (at >= 0 && at < values.length) values.set(rows.subarray(i * cols, (i + 1) * cols), at)
    }
  }
}

interface Product {
  readonly scale: number
  readonly cols: number
  /**
   * Whether a product is added without being rounded before. PyTorch multiplies a convolution's factors by a convolution, whose
   * batch is the number of input channels; a small batch of one goes to a kernel that rounds.
   */
  readonly isFused: boolean
  readonly magnitude?: Float32Array
}

/** @param a [rank, cols] @param b [rows, rank] */
function product(a: Float32Array, b: Float32Array, options: Product): ChangeRows {
  const { scale, cols, isFused, magnitude } = options
  const rank = a.length / cols
  const multiplied = isFused ? multiply : multiplyRounded
  const sum = new Float32Array(cols)
  return (values, first) => {
    for (let at = 0, row = first; at < values.length; at += cols, row++) {
      multiplied(sum, b.subarray(row * rank, (row + 1) * rank), a)
      const weights = values.subarray(at, at + cols)
      addScaled(weights, sum, scale)
      if (magnitude) scaleRow(weights, magnitude[row] as number, lengthOf(weights))
    }
  }
}

interface Table {
  readonly rows: number
  readonly cols: number
  readonly dtype: string
}

/** @param a [rank, rows] @param b [cols, rank] */
function tableProduct(
  a: Float32Array,
  b: Float32Array,
  { scale }: Pick<Extract<Change, { kind: 'embedding' }>, 'scale'>,
  { rows, cols, dtype }: Table,
): ChangeRows {
  const rank = a.length / rows
  const across = transposed(b, cols, rank)
  const sum = new Float32Array(cols)
  return (values, first) => {
    for (let at = 0, row = first; at < values.length; at += cols, row++) {
      multiply(
        sum,
        Float32Array.from({ length: rank }, (_, k) => a[k * rows + row] as number),
        across,
      )
      const delta = new Float32Array(cols)
      addScaled(delta, sum, scale)
      const kept = rounded(dtype, delta)
      if (kept === undefined)
        throw new Failure(`What is added to an embedding table exceeds ${dtype}.`, MERGE_WITH_PEFT)
      for (let i = 0; i < cols; i++) values[at + i] = (values[at + i] as number) + (kept[i] as number)
    }
  }
}

function transposed(values: Float32Array, rows: number, cols: number): Float32Array {
  return Float32Array.from(
    { length: values.length },
    (_, i) => values[(i % rows) * cols + Math.floor(i / rows)] as number,
  )
}

/**
 * sum = left x right, one rank after the other; a float64 holds the product of two float32 exactly, so that each step rounds
 * once, as a fused multiply-add does.
 * @param left [rank] @param right [rank, sum.length]
 */
function multiply(sum: Float32Array, left: Float32Array, right: Float32Array): void {
  const cols = sum.length
  sum.fill(0)
  for (let k = 0; k < left.length; k++) {
    const factor = left[k] as number
    const start = k * cols
    for (let i = 0; i < cols; i++) sum[i] = (sum[i] as number) + factor * (right[start + i] as number)
  }
}

function multiplyRounded(sum: Float32Array, left: Float32Array, right: Float32Array): void {
  const cols = sum.length
  sum.fill(0)
  for (let i = 0; i < left.length * cols; i++) {
    const product = Math.fround((left[Math.floor(i / cols)] as number) * (right[i] as number))
    sum[i % cols] = (sum[i % cols] as number) + product
  }
}

function addScaled(values: Float32Array, sum: Float32Array, scale: number): void {
  const factor = Math.fround(scale)
  for (let i = 0; i < sum.length; i++)
    values[i] = (values[i] as number) + Math.fround((sum[i] as number) * factor)
}

/** The length of a row in float64, rounded once: PyTorch sums in float32, by lanes of the processor. */
export function lengthOf(row: Float32Array): number {
  let sum = 0
  for (let i = 0; i < row.length; i++) sum += (row[i] as number) * (row[i] as number)
  return Math.fround(Math.sqrt(sum))
}

/** Give a row the magnitude that was trained for it. */
export function scaleRow(row: Float32Array, magnitude: number, length: number): void {
  const factor = Math.fround(magnitude / length)
  for (let i = 0; i < row.length; i++) row[i] = factor * (row[i] as number)
}
