// SPDX-License-Identifier: Apache-2.0

import type { Tensor } from './onnxruntime.ts'

/* What the KV caches in the program's memory and on a device have in common. */

/** Positions that the capacity grows by. More wastes work on positions that are masked, fewer moves the cache more often. */
const BUCKET = 64

/** The smallest multiple of `step` that is not below `count`. */
export function roundUp(count: number, step: number): number {
  return Math.ceil(count / step) * step
}

/** The capacity for `positions` where it is `capacity` now. One that a long row has left behind makes every step read it. */
export function capacityFor(positions: number, capacity: number): number {
  const wanted = roundUp(positions, BUCKET)
  return wanted > capacity || 2 * wanted <= capacity ? wanted : capacity
}

/** Sizes of one position's keys, and of its values, in every layer. */
export interface CacheShape {
  readonly layers: number
  /** key/value heads */
  readonly heads: number
  readonly headDim: number
}

/** Keys and values of the positions that a row begins with. */
export interface RowHead {
  readonly length: number
  /** as the cache has its arrays, each [1, heads, length, head_dim] */
  readonly arrays: readonly Tensor[]
}

/** The head of a row that begins with nothing. */
export const NO_HEAD: RowHead = { length: 0, arrays: [] }

/**
 * Keys and values of the sequences that are decoded together, as the fused graph reads them: for each layer two arrays
 * [rows, heads, capacity, head_dim], with each row's positions in front. What is behind them is finite. Calls must not
 * overlap.
 */
export interface KvStore {
  readonly rows: number
  /** Positions that every row has room for. */
  readonly capacity: number
  /** Positions of each row. */
  readonly lengths: readonly number[]
  /** The graph's past inputs, after {@link reserve}; the same tensors until rows come or go or the capacity grows. */
  readonly feeds: Readonly<Record<string, Tensor>>
  /**
   * Add rows with the keys and values of prompts.
   * @param arrays in the order of the names, each [rows, heads, longest, head_dim]; what is behind a row's length is left.
   *   They are the store's from now on
   * @param lengths of the new rows
   * @param head what all of them begin with, which is in neither
   */
  addRows(arrays: readonly Tensor[], lengths: readonly number[], head?: RowHead): Promise<void>
  /**
   * Add positions to every row from `first` on, for which there must be room.
   * @param arrays in the order of the names, each [given, heads, positions, head_dim]. They are the store's from now on
   * @param given rows in the arrays; those that hold no sequence are left out
   */
  append(arrays: readonly Tensor[], first?: number, given?: number, positions?: number): Promise<void>
  /** Make room for more positions in every row. */
  reserve(positions?: number): Promise<void>
  /** Take the last positions of a row back. */
  shorten(row: number, positions: number): void
  /** Take a row out; the last row takes its place. */
  removeRow(row: number): void
  clear(): void
  release(): Promise<void>
}
