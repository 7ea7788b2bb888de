// SPDX-License-Identifier: Apache-2.0

import { seededRandom, shuffled } from '../random.ts'
import type { Selection } from './utterance.ts'

/* Which rows of a stored dataset are measured. */

/** Rows that a seeded sample takes of a row group, so that few groups are fetched and many speakers occur. */
const ROWS_OF_GROUP = 20

/**
 * Choose rows of a dataset that is stored in groups, each of which is fetched whole.
 * @param groups rows in each group, in order
 * @returns row numbers over all groups, ascending
 */
export function chooseRows(groups: readonly number[], selection: Selection): number[] {
  const total = groups.reduce((sum, rows) => sum + rows, 0)
  const count = selection.sample === 'all' ? total : Math.min(selection.count, total)
  const rows =
    selection.sample === 'seeded' && count < total
      ? seededRows(groups, count, selection.seed)
      : Array.from({ length: count }, (_, row) => row)
  const { index, of } = selection.shard ?? { index: 1, of: 1 }
  return rows.slice(Math.floor(((index - 1) * rows.length) / of), Math.floor((index * rows.length) / of))
}

/** The number of each group's first row. */
export function startsOf(groups: readonly number[]): number[] {
  let start = 0
  return groups.map((rows) => {
    start += rows
    return start - rows
  })
}

function seededRows(groups: readonly number[], count: number, seed: number): number[] {
  const random = seededRandom(seed)
  const firstRows = startsOf(groups)
  const order = shuffled([...groups.keys()], random)
  const taken: number[][] = []
  for (let room = 0; room < count || taken.length < Math.ceil(count / ROWS_OF_GROUP); ) {
    const group = order[taken.length]
    if (group === undefined) break
    const size = groups[group] ?? 0
    const rows = Array.from({ length: size }, (_, i) => (firstRows[group] ?? 0) + i)
    taken.push(shuffled(rows, random))
    room += size
  }
  // One of each group in turn, so that all groups give about as many.
  const longest = taken.reduce((most, rows) => Math.max(most, rows.length), 0)
  const inTurn = Array.from({ length: longest }, (_, i) =>
    taken.flatMap((rows) => rows.slice(i, i + 1)),
  ).flat()
  return inTurn.slice(0, count).sort((a, b) => a - b)
}
