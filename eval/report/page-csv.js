// SPDX-License-Identifier: Apache-2.0

import { data, element } from './page-dom.js'

/** Those of eval/csv.ts: what spreadsheets run, and what of it is a number. */
const [formula, number] = data.formulas.map(({ source, flags }) => new RegExp(source, flags))

/** Numbers as they are; text in quotes, so that no separator of any language ends it, and never as a formula. */
function csvCell(value) {
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : ''
  const text = String(value ?? '')
  return `"${(formula.test(text) && !number.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`
}

/** Save rows of numbers and texts as a CSV file (RFC 4180), made here: nothing is sent or fetched. */
export function downloadCsv(name, rows) {
  const text = rows.map((row) => `${row.map(csvCell).join(',')}\r\n`).join('')
  const url = URL.createObjectURL(new Blob([text], { type: 'text/csv;charset=utf-8' }))
  const link = element('a')
  link.href = url
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(url), 60_000)
}
