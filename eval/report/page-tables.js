// SPDX-License-Identifier: Apache-2.0

import { downloadCsv } from './page-csv.js'
import { announce, button, hidden, wholeText } from './page-dom.js'

const valuesOf = (cell) => JSON.parse(cell.dataset.values ?? 'null')
const collator = new Intl.Collator('en', { numeric: true })

/** Numbers before texts, in their order; what is not known is last, up or down. */
function compareCells(a, b, isDown) {
  const [first, second] = [valuesOf(a), valuesOf(b)]
  const turn = isDown ? -1 : 1
  if (first && second) return turn * (first[0] - second[0])
  if (first || second) return first ? -1 : 1
  const [one, other] = [wholeText(a), wholeText(b)]
  if (one === '-' || other === '-') return (one === '-') - (other === '-')
  return turn * collator.compare(one, other)
}

function sortBy(table, head, at) {
  const isDown = head.ariaSort === 'ascending'
  for (const other of table.tHead.rows[0].cells) other.removeAttribute('aria-sort')
  head.ariaSort = isDown ? 'descending' : 'ascending'
  const [body] = table.tBodies
  body.append(...[...body.rows].sort((a, b) => compareCells(a.cells[at], b.cells[at], isDown)))
  announce(`Sorted by ${head.textContent}, ${head.ariaSort}.`)
}

/** A cell may hold several values, each with a column of its own. */
function tableRows(table) {
  const names = [...table.tHead.rows[0].cells].map((head) => JSON.parse(head.dataset.csv))
  const rows = [...table.tBodies[0].rows].map(({ cells }) =>
    [...cells].flatMap((cell, i) => {
      const values = valuesOf(cell) ?? [wholeText(cell)]
      return names[i].map((_, part) => values[part] ?? '')
    }),
  )
  return [names.flat(), ...rows]
}

for (const figure of document.querySelectorAll('figure.table')) {
  const table = figure.querySelector('table')
  const heads = [...table.tHead.rows[0].cells]
  for (const [at, head] of heads.entries()) {
    const sort = button('sort', head.textContent)
    sort.addEventListener('click', () => sortBy(table, head, at))
    head.replaceChildren(sort)
  }
  const caption = figure.querySelector('figcaption')
  const save = button('save', 'CSV', hidden(' of ', ...[...caption.cloneNode(true).childNodes]))
  save.title = 'Download as CSV'
  save.addEventListener('click', () => downloadCsv(`${figure.id}.csv`, tableRows(table)))
  caption.after(save)
}
