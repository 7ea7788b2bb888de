import { element } from './page-dom.js'

/** Spreadsheets take a cell that begins so for a formula, also behind spaces, and its full-width form. */
const FORMULA = /^[\s\p{Cc}\p{Cf}]*[=+\-@\uff1d\uff0b\uff0d\uff20]|^[\t\r\n]/u

/** Numbers as they are; text in quotes, so that no separator of any language ends it, and never as a formula. */
function csvCell(value) {
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : ''
  const text = String(value ?? '')
  return `"${(FORMULA.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`
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
