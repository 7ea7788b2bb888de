// SPDX-License-Identifier: Apache-2.0

import { SpeechError } from './speech-error.ts'

/* Weights in blocks, made into 8-bit weights with one scale for each column. */

/**
 * Largest level of a weight: pairs of products of these and of activations up to 255 fit 16 bits, which older x86
 * processors add them in (VPMADDUBSW saturates).
 */
const LEVELS = 64
/** Levels of a 4-bit weight. */
const LEVELS_4 = 16

/** Columns that are made together. */
const TILE = 64

/** A weight [K, N] in blocks of levels along K that share a scale and a zero point. */
export interface Matrix {
  readonly K: number
  readonly N: number
  readonly bits: 4 | 8
  readonly block: number
  /** [N, K / block, block * bits / 8] */
  readonly packed: Uint8Array
  /** [N, K / block] */
  readonly scales: Float32Array
  /** [N, K / block] levels, each row in whole bytes */
  readonly zeros: Uint8Array
}

/**
 * Levels with a scale for each block to int8 with a scale for each column: [K, N] levels, and what one level is worth.
 * level = round((q - zero) * scale / column), column = the largest |q - zero| * |scale| of the column / {@link LEVELS}.
 * @throws SpeechError when N is not a multiple of 4, or K of the block
 */
export function widen(matrix: Matrix): { levels: Int8Array; columns: Float32Array } {
  const { K, N, block } = matrix
  requireFit(K, N, block)
  const levels = new Int8Array(K * N)
  const words = new Int32Array(levels.buffer) // four columns at a time
  const columns = Float32Array.from({ length: N }, (_, n) => largest(matrix, n) / LEVELS)
  const tile = new Int32Array(block * (TILE >> 2))
  const widenColumns = matrix.bits === 4 ? widenNibbles : widenBytes
  for (let i = 0; i < K / block; i++) {
    for (let left = 0; left < N; left += TILE) {
      const width = Math.min(TILE, N - left) >> 2
      for (let j = 0; j < width; j++) widenColumns(matrix, columns, left + 4 * j, i, tile, j, width)
      copyTile(tile, width, block, words, (i * block * N + left) >> 2, N >> 2)
    }
  }
  return { levels, columns }
}

/**
 * Check that a 4-bit weight [K, N] in blocks along K can be widened to 8 bits.
 * @throws SpeechError when N is not a multiple of 4, K of the block, or the block of 2
 */
export function requireFit(K: number, N: number, block: number): void {
  if (N % 4 === 0 && K % block === 0 && block % 2 === 0) return
  throw new SpeechError(
    `A weight of [${K}, ${N}] in blocks of ${block} cannot be widened: N is not a multiple of 4, or K of the block.`,
  )
}

const TABLES = [0, 8, 16, 24].map((shift) => ({ shift, levels: new Int32Array(LEVELS_4) }))
const [A, B, C, D] = TABLES.map(({ levels }) => levels) as [Int32Array, Int32Array, Int32Array, Int32Array]

/** One block of four columns from `n` on, as column `j` of the tile's words. This sees every weight: hence plain loops. */
function widenNibbles(
  matrix: Matrix,
  columns: Float32Array,
  n: number,
  i: number,
  tile: Int32Array,
  j: number,
  width: number,
): void {
  const { K, block, packed } = matrix
  for (let t = 0; t < 4; t++)
    fillTable(matrix, columns[n + t] as number, n + t, i, TABLES[t] as (typeof TABLES)[number])
  const row = K >> 1
  const end = (n * K + (i + 1) * block) >> 1
  for (let from = (n * K + i * block) >> 1, to = j; from < end; from++, to += 2 * width) {
    const p = packed[from] as number
    const q = packed[from + row] as number
    const r = packed[from + 2 * row] as number
    const s = packed[from + 3 * row] as number
    tile[to] = (A[p & 15] as number) | (B[q & 15] as number) | (C[r & 15] as number) | (D[s & 15] as number)
    tile[to + width] =
      (A[p >> 4] as number) | (B[q >> 4] as number) | (C[r >> 4] as number) | (D[s >> 4] as number)
  }
}

/** As {@link widenNibbles}: a table of 256 levels would take longer than a block of weights. */
function widenBytes(
  matrix: Matrix,
  columns: Float32Array,
  n: number,
  i: number,
  tile: Int32Array,
  j: number,
  width: number,
): void {
  const { K, block, packed } = matrix
  const [a, b, c, d] = [0, 1, 2, 3].map((t) => scaleOf(matrix, columns[n + t] as number, n + t, i)) as Four
  const [w, x, y, z] = [0, 1, 2, 3].map((t) => zeroOf(matrix, n + t, i)) as Four
  const end = n * K + (i + 1) * block
  for (let from = n * K + i * block, to = j; from < end; from++, to += width) {
    const p = Math.floor(((packed[from] as number) - w) * a + 0.5)
    const q = Math.floor(((packed[from + K] as number) - x) * b + 0.5)
    const r = Math.floor(((packed[from + 2 * K] as number) - y) * c + 0.5)
    const s = Math.floor(((packed[from + 3 * K] as number) - z) * d + 0.5)
    tile[to] = (p & 255) | ((q & 255) << 8) | ((r & 255) << 16) | (s << 24)
  }
}

type Four = [number, number, number, number]

/** What one level of a block is worth, in levels of its column. */
function scaleOf({ K, block, scales }: Matrix, column: number, n: number, i: number): number {
  return column === 0 ? 0 : (scales[n * (K / block) + i] as number) / column
}

/** Rows of the matrix lie far apart: written a tile at a time, they fill whole cache lines. */
function copyTile(
  tile: Int32Array,
  width: number,
  rows: number,
  words: Int32Array,
  start: number,
  stride: number,
): void {
  for (let k = 0, from = 0, at = start; k < rows; k++, at += stride)
    for (let j = 0; j < width; j++) words[at + j] = tile[from++] as number
}

/** The levels of the 16 weights there are in a block, each in its byte of a word. */
function fillTable(
  matrix: Matrix,
  column: number,
  n: number,
  i: number,
  { shift, levels }: { readonly shift: number; readonly levels: Int32Array },
): void {
  const zero = zeroOf(matrix, n, i)
  const scale = scaleOf(matrix, column, n, i)
  for (let q = 0; q < LEVELS_4; q++) {
    const level = Math.floor((q - zero) * scale + 0.5)
    levels[q] = (level & 255) << shift
  }
}

function largest(matrix: Matrix, n: number): number {
  const blocks = matrix.K / matrix.block
  const highest = 2 ** matrix.bits - 1
  let most = 0
  for (let i = 0; i < blocks; i++) {
    const zero = zeroOf(matrix, n, i)
    // symmetric quantization makes negative scales
    const scale = Math.abs(matrix.scales[n * blocks + i] as number)
    const end = Math.max(zero, highest - zero) * scale
    if (end > most) most = end
  }
  return most
}

function zeroOf({ K, block, bits, zeros }: Matrix, n: number, i: number): number {
  const blocks = K / block
  if (bits === 8) return zeros[n * blocks + i] as number
  return ((zeros[n * ((blocks + 1) >> 1) + (i >> 1)] as number) >> (4 * (i & 1))) & 15
}
