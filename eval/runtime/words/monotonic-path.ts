// SPDX-License-Identifier: Apache-2.0

/** Which columns each row of a matrix was given. */
export interface Path {
  /** by row, both included; neighbours share a column where the path goes straight down */
  readonly first: Int32Array
  readonly last: Int32Array
}

const [BOTH, NEXT_ROW, NEXT_COLUMN] = [0, 1, 2]

/**
 * The cheapest way from the first to the last cell of a matrix that never goes back: dynamic time warping (Sakoe and Chiba,
 * "Dynamic programming algorithm optimization for spoken word recognition", IEEE Transactions ASSP 1978).
 * @param costs [rows, columns], row-major
 */
export function monotonicPath(costs: Float64Array, rows: number, columns: number): Path {
  const steps = new Uint8Array(rows * columns)
  let above = new Float64Array(columns + 1).fill(Number.POSITIVE_INFINITY)
  let here = above.slice()
  above[0] = 0
  for (let row = 0; row < rows; row++) {
    here[0] = Number.POSITIVE_INFINITY
    for (let column = 0; column < columns; column++) {
      const [both, down, right] = [above[column], above[column + 1], here[column]] as [number, number, number]
      const least = Math.min(both, down, right)
      steps[row * columns + column] = least === both ? BOTH : least === right ? NEXT_COLUMN : NEXT_ROW
      here[column + 1] = least + (costs[row * columns + column] as number)
    }
    ;[above, here] = [here, above]
  }
  return walkBack(steps, rows, columns)
}

function walkBack(steps: Uint8Array, rows: number, columns: number): Path {
  const [first, last] = [new Int32Array(rows), new Int32Array(rows).fill(-1)]
  let [row, column] = [rows - 1, columns - 1]
  while (row >= 0 && column >= 0) {
    if (last[row] === -1) last[row] = column
    first[row] = column
    const step = steps[row * columns + column]
    if (step !== NEXT_COLUMN) row--
    if (step !== NEXT_ROW) column--
  }
  return { first, last }
}
