// SPDX-License-Identifier: Apache-2.0

import * as Plot from '@observablehq/plot'
import { parseHTML } from 'linkedom'

/* Charts as SVG files, for model cards. */

/**
 * A picture cannot read the style of its page, so it brings its own background. Contrast with it is at least 4.5 for
 * letters and 3 for marks (WCAG 2.2), and both change together where the reader's system is dark.
 */
export const LIGHT = { ground: '#ffffff', ink: '#1b2127', mark: '#2f62d9', faint: '#67717c' }
const DARK = { ground: '#13171b', ink: '#e4e9ee', mark: '#82a7ff', faint: '#a0abb6' }
/** Width of a picture in pixels. */
export const WIDTH = 640

type PlotDocument = NonNullable<Plot.PlotOptions['document']>

/**
 * A chart as an SVG file that stands by itself, in the colours of LIGHT, with a name for who does not see it.
 * @param title what it shows, and text with its values
 */
export function standAlone(
  options: Plot.PlotOptions,
  { title, text }: { readonly title: string; readonly text: string },
): string {
  const svg = Plot.plot({
    document: parseHTML('<html><body></body></html>').document as unknown as PlotDocument,
    width: WIDTH,
    style: { color: LIGHT.ink, background: 'none', fontSize: '13px', fontFamily: 'system-ui, sans-serif' },
    ...options,
  })
  svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg')
  svg.setAttribute('role', 'img')
  svg.setAttribute('aria-labelledby', 'title desc')
  for (const group of svg.querySelectorAll('g[aria-label]')) group.removeAttribute('aria-label')
  const make = (tag: string, attributes: Readonly<Record<string, string>>, content = '') => {
    const made = svg.ownerDocument.createElementNS('http://www.w3.org/2000/svg', tag)
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value)
    made.textContent = content
    return made
  }
  svg.prepend(
    make('title', { id: 'title' }, title),
    make('desc', { id: 'desc' }, text),
    make('style', {}, darkColours()),
    make('rect', { id: 'ground', width: '100%', height: '100%', rx: '8', fill: LIGHT.ground }),
  )
  return `${svg.outerHTML.replaceAll('&nbsp;', '&#160;')}\n`
}

function darkColours(): string {
  const changes = (['ground', 'ink', 'mark', 'faint'] as const).flatMap((name) =>
    ['fill', 'stroke'].map((part) => `[${part}="${LIGHT[name]}"] { ${part}: ${DARK[name]} }`),
  )
  return `@media (prefers-color-scheme: dark) { svg { color: ${DARK.ink} !important } ${changes.join(' ')} }`
}
