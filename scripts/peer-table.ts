// SPDX-License-Identifier: Apache-2.0

import { formatBytes } from '../pipeline/shared/output-files.ts'
import { CLIPS, COLD_CLIPS } from './peer-clips.ts'
import type { ClipFigures, Count, Counted, Figures } from './peer-figures.ts'
import { RATIO_COLUMNS, ratioRows } from './peer-ratios.ts'
import type { Missing } from './peer-sides.ts'

/* What was found, as tables: for a terminal, for a page, and for programs. */

const MARKS: Readonly<Record<Count, string>> = { wanted: '', calculated: ' *', other: ' **' }

/** Columns of the table of all sides. */
export const COLUMNS: readonly string[] = [
  'side',
  'load',
  'resident',
  'on disk',
  ...COLD_CLIPS.map(({ seconds }) => `cold, ${seconds} s`),
  ...CLIPS.flatMap(({ seconds, newTokens }) => [
    `${seconds} s, ${newTokens} tokens`,
    'first token',
    'encoder',
    'prompt',
    'step',
  ]),
]

/** A row for each side; a side that is missing has its reason below the table. */
export function rowsOf(figures: readonly Figures[], missing: readonly Missing[]): string[][] {
  return [
    ...figures.map((side) => [
      ...[side.name, seconds(side.load), formatBytes(side.peak), formatBytes(side.bytes)],
      ...side.cold.map(marked),
      ...side.clips.flatMap(clipCells),
    ]),
    ...missing.map(({ name }) => [name, ...COLUMNS.slice(1).map((_, i) => (i === 0 ? 'missing' : ''))]),
  ]
}

/** What the marks mean, and why sides are missing. */
export function remarksOf(figures: readonly Figures[], missing: readonly Missing[]): string[] {
  const counts = figures.flatMap(({ clips, cold }) => [...clips, ...cold].map(({ count }) => count))
  const strange = figures.flatMap(({ name, clips }) => {
    const found = clips.flatMap(({ tokens, count }, i) =>
      count === 'wanted' ? [] : [`${tokens} at ${CLIPS[i]?.seconds} s`],
    )
    return found.length === 0 ? [] : [`${name}: ${found.join(', ').replace(' at', ' tokens at')}.`]
  })
  return [
    ...(counts.includes('calculated')
      ? ['* The engine gave more tokens than asked for; the steps of those are taken off.']
      : []),
    ...(counts.includes('other')
      ? ['** Another number of tokens: compare the time to the first token, and that of a step.']
      : []),
    ...strange,
    ...missing.map(({ name, reason }) => `${name} is missing: ${reason}`),
  ]
}

/** For a page in Markdown. */
export function markdownOf(figures: readonly Figures[], missing: readonly Missing[]): string {
  const rows = rowsOf(figures, missing).map((row) => [...row, ...COLUMNS.slice(row.length).map(() => '')])
  const ratios = ratioRows(figures)
  const remarks = remarksOf(figures, missing).map((remark) => `${escaped(remark)}  `)
  return [
    ...markdownTable(COLUMNS, rows),
    ...(remarks.length > 0 ? ['', ...remarks] : []),
    ...(ratios.length > 0 ? ['', ...markdownTable(RATIO_COLUMNS, ratios)] : []),
    '',
  ].join('\n')
}

function markdownTable(columns: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.map(escaped).join(' | ')} |`
  return [line(columns), line(columns.map(() => '---')), ...rows.map(line)]
}

/** For programs: seconds and bytes, a row for each side and clip. */
export function csvRowsOf(
  figures: readonly Figures[],
  missing: readonly Missing[],
): Readonly<Record<string, string | number>>[] {
  const measured = figures.flatMap(({ name, load, peak, bytes, clips, cold }) => [
    ...clips.map((clip, i) => ({
      ...{ side: name, clip: CLIPS[i]?.seconds ?? '', start: 'loaded', load, resident: peak, bytes },
      ...{ seconds: clip.seconds, first: clip.first ?? '', encoder: clip.encoder ?? '' },
      ...{ prompt: clip.prompt ?? '', step: clip.step ?? '', tokens: clip.tokens, count: clip.count },
      missing: '',
    })),
    ...cold.map((clip, i) => ({
      ...{ side: name, clip: COLD_CLIPS[i]?.seconds ?? '', start: 'cold', load: '', resident: '', bytes },
      ...{ seconds: clip.seconds, first: '', encoder: '', prompt: '', step: '' },
      ...{ tokens: clip.tokens, count: clip.count, missing: '' },
    })),
  ])
  const left = missing.map(({ name, reason }) => ({
    ...{ side: name, clip: '', start: '', load: '', resident: '', bytes: '', seconds: '', first: '' },
    ...{ encoder: '', prompt: '', step: '', tokens: '', count: '', missing: reason },
  }))
  return [...measured, ...left]
}

function clipCells(clip: ClipFigures): string[] {
  return [marked(clip), ...[clip.first, clip.encoder, clip.prompt, clip.step].map(milliseconds)]
}

function marked({ seconds: value, count }: Counted): string {
  return `${seconds(value)}${MARKS[count]}`
}

function seconds(value: number): string {
  return `${value.toFixed(2)} s`
}

function milliseconds(value: number | undefined): string {
  return value === undefined ? '-' : `${(1000 * value).toFixed(value < 0.1 ? 1 : 0)} ms`
}

function escaped(cell: string): string {
  return cell.replaceAll('|', '\\|').replaceAll('*', '\\*')
}
