// SPDX-License-Identifier: Apache-2.0

import * as Plot from '@observablehq/plot'
import { cell, type FigureTable, nameCell } from '../../eval/report/figure-table.ts'
import { htmlTable, htmlText } from '../../eval/report/html.ts'
import { percent } from '../../eval/report/number-text.ts'
import { COLUMN_WIDTH, drawPlot } from '../../eval/report/plot.ts'
import { staticPage } from '../../eval/report/static-page.ts'
import { nats } from '../release/fidelity-table.ts'
import { formatBytes } from '../shared/output-files.ts'
import type { WeightCost, WeightScan } from './scan-weights.ts'
import { type CostGrid, costliest, gridOf, methodOf, sumOf } from './weight-costs.ts'

const ATTENTION = ['q', 'k', 'v', 'o']
const KINDS = [
  { label: 'attention', colour: 'var(--c0)' },
  { label: 'mlp', colour: 'var(--c3)' },
  { label: 'lm_head', colour: 'var(--c4)' },
] as const
const LISTED = 16
const PANEL_HEIGHT = 130
const ROW = 24

/** What a scan found, as one page that needs only itself: bars by layer and role, and the figures. */
export function scanPage(found: WeightScan): Promise<string> {
  const { weights, low, high } = found
  const grid = gridOf(weights)
  const title = `What each weight costs in ${low}`
  return staticPage(
    title,
    `<header>
<h1>${htmlText(title)}</h1>
<p>${htmlText(methodOf(found))}</p>
<ul class="legend">${KINDS.map(({ label, colour }) => `<li><i style="background:${colour}"></i>${label}</li>`).join('')}</ul>
</header>
<main>
<section aria-labelledby="roles"><h2 id="roles">By layer and role</h2>
<p class="note">A bar for each layer; all charts have one scale, in nats. ${htmlText(besideOf(weights))}</p>
<div class="grid">${grid.roles.map((role) => rolePanel(role, grid)).join('\n')}</div>
</section>
<section aria-labelledby="most"><h2 id="most">The most costly</h2>
<div class="plot">${costliestPlot(weights)}</div>
</section>
<section aria-labelledby="auto"><h2 id="auto">What auto chooses for ${htmlText(high)}</h2>
<p class="note">The weights that lose most for each added byte. A budget is a share of the bytes in ${htmlText(low)}.</p>
${htmlTable(choiceTable(found), 'choices')}
${choiceList(found)}
</section>
<section aria-labelledby="all"><h2 id="all">All weights</h2>
<details><summary>${weights.length} weights, the most costly first</summary>${htmlTable(weightTable(found), 'weights')}</details>
</section>
</main>`,
  )
}

/** Weights that belong to no layer. */
function besideOf(weights: readonly WeightCost[]): string {
  return weights
    .flatMap(({ layer, name, kld }) => (layer === null ? [`${name}: ${nats(kld)} nats.`] : []))
    .join(' ')
}

function rolePanel(role: string, { layers, highest, at }: CostGrid): string {
  const rows = layers.map((layer) => ({ layer, kld: Math.max(0, at(layer, role)?.kld ?? 0) }))
  const every = Math.ceil(layers.length / 14)
  const most = costliest(
    rows.flatMap(({ layer }) => at(layer, role) ?? []),
    1,
  )[0]
  const svg = drawPlot(
    `KLD of ${role} by layer${most ? `, most ${nats(most.kld)} in layer ${most.layer}` : ''}`,
    {
      ...{ height: PANEL_HEIGHT, marginLeft: 66, marginRight: 4, marginTop: 10, marginBottom: 22 },
      x: {
        ...{ type: 'band', domain: layers, label: null, tickSize: 0, padding: 0.15 },
        ticks: layers.filter((_, i) => i % every === 0),
      },
      y: {
        domain: [0, highest || 1],
        ticks: 3,
        grid: true,
        label: null,
        tickFormat: (kld: number) => nats(kld),
      },
      marks: [Plot.barY(rows, { x: 'layer', y: 'kld', fill: colourOf(role) }), Plot.ruleY([0])],
    },
  )
  return `<div class="panel"><p class="dataset">${htmlText(role)}</p><div class="plot">${svg}</div></div>`
}

function costliestPlot(weights: readonly WeightCost[]): string {
  const rows = costliest(weights, LISTED).map((weight) => ({ ...weight, shown: Math.max(0, weight.kld) }))
  const marginLeft = 12 + COLUMN_WIDTH * Math.max(...rows.map(({ name }) => name.length))
  const text = { y: 'name', fill: 'currentColor' } as const
  return drawPlot(
    `The ${rows.length} most costly weights: ${rows.map(({ name, kld }) => `${name} ${nats(kld)}`).join(', ')}`,
    {
      ...{ height: ROW * rows.length + 8, marginLeft, marginRight: 66, marginTop: 4, marginBottom: 4 },
      x: { domain: [0, rows[0]?.shown || 1], axis: null },
      y: { type: 'band', domain: rows.map(({ name }) => name), padding: 0.25, label: null, tickSize: 0 },
      marks: [
        Plot.barX(rows, { x: 'shown', y: 'name', fill: ({ role }: WeightCost) => colourOf(role) }),
        Plot.text(rows, {
          ...text,
          x: 'shown',
          text: ({ kld }: WeightCost) => nats(kld),
          textAnchor: 'start',
          dx: 5,
        }),
      ],
    },
  )
}

function choiceTable({ choices, weights }: WeightScan): FigureTable {
  return {
    title: ['Budgets'],
    columns: columns(['rule', 'weights', 'added', 'of the KLD']),
    rows: choices.map((choice) => {
      const { selector, count, addedBytes, share } = sumOf(choice, weights)
      return [nameCell(selector), cell(String, count), cell(formatBytes, addedBytes), cell(percent, share)]
    }),
  }
}

/** Roles and layers: a hundred names would be too many for a table. */
function choiceList({ choices, weights }: WeightScan): string {
  const items = choices.map((choice) => {
    const { selector, names } = sumOf(choice, weights)
    return `<li>${htmlText(`${selector}: ${names || 'no weight'}`)}</li>`
  })
  return `<ul class="remarks">${items.join('')}</ul>`
}

function weightTable({ weights, low, high }: WeightScan): FigureTable {
  return {
    title: ['KLD and bytes'],
    columns: columns(['weight', 'KLD', low, high]),
    rows: costliest(weights, weights.length).map(({ name, kld, bytesLow, bytesHigh }) => [
      ...[nameCell(name), cell(nats, kld), cell(formatBytes, bytesLow), cell(formatBytes, bytesHigh)],
    ]),
  }
}

function columns(labels: readonly string[]): FigureTable['columns'] {
  return labels.map((label) => ({ label, csv: [label] }))
}

function colourOf(role: string): string {
  const [attention, mlp, other] = KINDS
  if (ATTENTION.includes(role)) return attention.colour
  return role === 'lm_head' ? other.colour : mlp.colour
}
