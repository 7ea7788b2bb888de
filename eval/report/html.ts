// SPDX-License-Identifier: Apache-2.0

import type { Cell, FigureTable } from './figure-table.ts'
import { shortened } from './label.ts'
import type { Sentence } from './sentence.ts'

/** Of a name in a sentence or a table. */
const NAME_COLUMNS = 60

/** Text as HTML; control characters, which a page cannot hold, become what stands for them (U+2400 to U+2421). */
export function htmlText(text: string): string {
  return text
    .replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
    .replace(/\p{Cc}/gu, controlPicture)
}

/** The words of others in `bdi`: their direction ends where they end. */
export function htmlSentence(parts: Sentence): string {
  return parts
    .map((part) => (typeof part === 'string' ? htmlText(part) : htmlName(part.name, part.columns)))
    .join('')
}

/** A long name is shown by its two ends; the whole of it is its title. */
export function htmlName(name: string, columns = NAME_COLUMNS): string {
  const short = shortened(name, columns)
  return `<bdi${short === name ? '' : ` title="${htmlText(name)}"`}>${htmlText(short)}</bdi>`
}

/**
 * A table whose columns sort and which can be downloaded. Roles are spelled out: on narrow screens its rows become
 * blocks, and a table that is displayed as blocks would lose them.
 */
export function htmlTable({ title, columns, rows }: FigureTable, id: string): string {
  const head = columns
    .map(
      ({ label, csv }) =>
        `<th scope="col" role="columnheader" data-csv="${htmlText(JSON.stringify(csv))}">${htmlText(label)}</th>`,
    )
    .join('')
  return `<figure class="table${columns.length > 8 ? ' wide' : ''}" id="${id}"><figcaption id="${id}-title">${htmlSentence(title)}</figcaption>
<div class="scroll" role="region" tabindex="0" aria-labelledby="${id}-title"><table role="table" aria-labelledby="${id}-title">
<thead role="rowgroup"><tr role="row">${head}</tr></thead>
<tbody role="rowgroup">${rows.map((row) => htmlRow(columns, row)).join('\n')}</tbody></table></div></figure>`
}

function htmlRow(columns: FigureTable['columns'], row: readonly Cell[]): string {
  return `<tr role="row">${row.map((cell, i) => htmlCell(cell, i === 0 ? undefined : columns[i]?.label)).join('')}</tr>`
}

/** @param label of the column, shown before the value on narrow screens; undefined for what names the row */
function htmlCell({ text, values, isName }: Cell, label: string | undefined): string {
  const data = values ? ` data-values="${htmlText(JSON.stringify(values))}"` : ''
  const shown = isName ? htmlName(text) : htmlText(text)
  if (label === undefined) return `<th scope="row" role="rowheader"${data}>${shown}</th>`
  const kind = isName ? ' class="name"' : (values?.length ?? 0) > 1 ? ' class="pair"' : ''
  return `<td role="cell" data-label="${htmlText(label)}"${data}${kind}>${shown}</td>`
}

function controlPicture(character: string): string {
  const code = character.charCodeAt(0)
  if (character === '\t' || character === '\n' || character === '\r') return character
  if (code < 0x20) return String.fromCharCode(0x2400 + code)
  return code === 0x7f ? '\u2421' : '\ufffd'
}
