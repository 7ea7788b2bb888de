// SPDX-License-Identifier: Apache-2.0

import { nats } from '../release/fidelity-table.ts'
import { formatBytes } from '../shared/output-files.ts'
import { wrapWords } from '../shared/text-width.ts'
import type { WeightScan } from './scan-weights.ts'
import { type CostGrid, costliest, gridOf, methodOf, sumOf } from './weight-costs.ts'

/** A bar's last column: eighths of it. */
const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉']
/** Of a file or a pipe, and at most. */
const WIDTH = 80
const INDENT = '  '
const LISTED = 10

/**
 * What a scan found, in lines: bars by layer and role, the most costly weights, and what `auto:N%` chooses.
 * @param width columns of the terminal
 */
export function scanLines(found: WeightScan, width: number): string[] {
  const room = Math.min(width, WIDTH)
  const grid = gridOf(found.weights)
  return [
    ...wrapWords(methodOf(found), room),
    '',
    ...gridLines(grid, room),
    '',
    ...listLines(found, room),
    '',
    ...choiceLines(found, room),
  ]
}

/** A block bar, whose full length is `highest`; a dot for what is too short to be seen. */
export function bar(value: number, highest: number, columns: number): string {
  const eighths = highest > 0 ? Math.round((8 * columns * Math.max(0, value)) / highest) : 0
  return eighths === 0 ? '·' : '█'.repeat(eighths >> 3) + EIGHTHS[eighths & 7]
}

function gridLines({ layers, roles, highest, at }: CostGrid, room: number): string[] {
  const label = 'layer'
  const column = Math.max(4, Math.floor((room - INDENT.length - label.length) / roles.length) - 1)
  const line = (first: string, cells: readonly string[]) =>
    `${INDENT}${first.padStart(label.length)}${cells.map((cell) => ` ${cell.padEnd(column)}`).join('')}`.trimEnd()
  return [
    line(label, roles),
    ...layers.map((layer) =>
      line(
        String(layer),
        roles.map((role) => {
          const weight = at(layer, role)
          return weight === undefined ? '' : bar(weight.kld, highest, column)
        }),
      ),
    ),
    `${INDENT}A full bar is ${nats(highest)} nats.`,
  ]
}

function listLines({ weights, low, high }: WeightScan, room: number): string[] {
  const shown = costliest(weights, LISTED)
  const highest = shown[0]?.kld ?? 0
  const texts = shown.map(({ name, kld, bytesLow, bytesHigh }) => [
    ...[name, nats(kld), formatBytes(bytesLow)],
    `${bytesHigh < bytesLow ? '-' : '+'}${formatBytes(Math.abs(bytesHigh - bytesLow))}`,
  ])
  const head = ['most costly', 'KLD', low, high]
  const [first = 0, ...rest] = head.map((title, i) =>
    Math.max(title.length, ...texts.map((row) => row[i]?.length ?? 0)),
  )
  const numbers = (row: readonly string[]) => rest.map((width, i) => (row[i + 1] ?? '').padStart(width))
  const line = (row: readonly string[], drawn: string) =>
    `${INDENT}${[(row[0] ?? '').padEnd(first), ...numbers(row), drawn].join(INDENT)}`.trimEnd()
  const left = room - line(head, '').length - INDENT.length
  return [
    line(head, ''),
    ...texts.map((row, i) => line(row, bar(shown[i]?.kld ?? 0, highest, Math.max(1, left)))),
  ]
}

function choiceLines({ choices, weights, high }: WeightScan, room: number): string[] {
  const lines = choices.flatMap((choice) => {
    const { selector, count, addedBytes, share, names } = sumOf(choice, weights)
    if (count === 0) return [`${INDENT}${selector} chooses no weight.`]
    const figures = `${count} of ${weights.length}, +${formatBytes(addedBytes)}, ${(100 * share).toFixed(0)} % of the KLD`
    const indent = INDENT.repeat(2)
    return [
      `${INDENT}${selector} ${figures}`,
      ...wrapWords(names, room - indent.length).map((line) => `${indent}${line}`),
    ]
  })
  return [`Chosen for ${high}:`, ...lines]
}
