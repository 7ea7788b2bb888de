// SPDX-License-Identifier: Apache-2.0

import { CLIPS, COLD_CLIPS } from './peer-clips.ts'
import type { Counted, Figures } from './peer-figures.ts'

/* How far this project's variants are ahead: the best of the other sides over each of them. */

interface Quantity {
  readonly name: string
  /** undefined: not of the same number of tokens */
  of(side: Figures): number | undefined
}

const QUANTITIES: readonly Quantity[] = [
  ...CLIPS.map(({ seconds }, i) => ({
    name: `${seconds} s`,
    of: ({ clips }: Figures) => comparable(clips[i]),
  })),
  ...COLD_CLIPS.map(({ seconds }, i) => ({
    name: `cold, ${seconds} s`,
    of: ({ cold }: Figures) => comparable(cold[i]),
  })),
  { name: 'resident', of: ({ peak }) => peak },
  { name: 'on disk', of: ({ bytes }) => bytes },
]

/** Columns of {@link ratioRows}. */
export const RATIO_COLUMNS: readonly string[] = [
  'best of the others / ours',
  ...QUANTITIES.map(({ name }) => name),
]

/** A row for each of our variants; empty where no other side was measured. */
export function ratioRows(figures: readonly Figures[]): string[][] {
  const others = figures.filter(({ isOurs }) => !isOurs)
  if (others.length === 0) return []
  return figures
    .filter(({ isOurs }) => isOurs)
    .map((side) => [side.name, ...QUANTITIES.map((quantity) => ratio(quantity, side, others))])
}

function ratio({ of }: Quantity, side: Figures, others: readonly Figures[]): string {
  const own = of(side)
  const values = others.map(of).filter((value) => value !== undefined)
  return own === undefined || values.length === 0 ? '-' : `${(Math.min(...values) / own).toFixed(2)} x`
}

function comparable(counted: Counted | undefined): number | undefined {
  return counted?.count === 'other' ? undefined : counted?.seconds
}
