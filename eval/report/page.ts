// SPDX-License-Identifier: Apache-2.0

import { readFile } from 'node:fs/promises'
import { FORMULA, NUMBER } from '../csv.ts'
import type { Chart } from './chart-rows.ts'
import { drawCharts } from './charts.ts'
import { choiceSentences } from './choice.ts'
import type { FidelityPoint } from './fidelity-plot.ts'
import { htmlName, htmlSentence, htmlTable, htmlText } from './html.ts'
import { htmlPage } from './html-page.ts'
import { isolated } from './label.ts'
import { type ListedUtterance, listUtterances } from './listed.ts'
import { type AudioOptions, type EmbeddedAudio, embedAudio } from './page-audio.ts'
import { pageStyle } from './page-style.ts'
import { drawMark, systemMark } from './plot.ts'
import { remarksOf } from './remarks.ts'
import type { Report } from './report.ts'
import type { Sentence } from './sentence.ts'
import { figureTables } from './tables.ts'

/** In the order in which they run: each may use what the ones before it export. */
const SCRIPTS = [
  './page-dom.js',
  './page-csv.js',
  './page-tables.js',
  './page-charts.js',
  './page-player.js',
  './page-words.js',
  './page-timeline.js',
  './page-list.js',
]

/** Content Security Policy: what is in the page, audio out of it, and nothing from anywhere else. */
const POLICY = [
  "script-src-elem 'unsafe-inline'",
  "style-src-elem 'unsafe-inline'",
  'media-src blob:',
  ...['connect', 'img', 'font', 'frame', 'object', 'worker', 'manifest'].map((kind) => `${kind}-src 'none'`),
  ...["base-uri 'none'", "form-action 'none'"],
].join('; ')
/** More of them are folded away. */
const DIFFERENCES_SHOWN = 10
/** Of a system's name in the legend, where it is whole. */
const LEGEND_COLUMNS = 1000

/** What a page shows besides its report. */
export interface PageOptions extends AudioOptions {
  /** of variants that were compared with FP32 */
  readonly fidelity?: readonly FidelityPoint[]
}

/** report.html: one page that needs only itself, and that the browser lets load nothing else. */
export async function reportPage(report: Report, options: PageOptions): Promise<string> {
  const [style, script] = await Promise.all([pageStyle(), pageScript()])
  const utterances = listUtterances(report)
  const audio = await embedAudio(utterances, options)
  const body = `${header(report)}
<main>
${figures(report)}
${charts(report, options.fidelity)}
${list(utterances.length, audio.size, {
  hasWords: hasSpokenWords(utterances, audio),
  isHeard: report.systems.some(({ kind }) => kind !== 'aligner'),
})}
</main>
<p id="status" class="hidden" role="status"></p>
<div id="tip" hidden></div>
${dataElements(report, utterances, audio)}
<script>${script}</script>`
  const names = report.run.datasets.map(({ name }) => isolated(name)).join(', ')
  return htmlPage({ title: `Evaluation: ${names}`, policy: POLICY, style, body })
}

/** The scripts as one, without modules, which a page opened from a file cannot load. */
async function pageScript(): Promise<string> {
  const sources = await Promise.all(SCRIPTS.map(ownFile))
  const plain = sources.map((source) =>
    source.replace(/^import [^;]*? from '.*'\n/gm, '').replace(/^export /gm, ''),
  )
  return `{\n${plain.join('\n')}}`
}

function ownFile(name: string): Promise<string> {
  return readFile(new URL(name, import.meta.url), 'utf8')
}

function header(report: Report): string {
  const systems = report.run.systems.map(
    ({ name }, i) => `<li>${drawMark(systemMark(i))}${htmlName(name, LEGEND_COLUMNS)}</li>`,
  )
  return `<header>
<h1>Accuracy and speed</h1>
${choiceSentences(report)
  .map((text) => `<p>${htmlSentence(text)}</p>`)
  .join('\n')}
<ul class="legend" id="systems" aria-label="Systems">${systems.join('')}</ul>
</header>`
}

function figures(report: Report): string {
  const tables = figureTables(report).map((table, i) =>
    table.rows.length > 0
      ? htmlTable(table, `table-${i}`)
      : `<p class="empty">${htmlSentence(table.title)}: nothing has been transcribed yet.</p>`,
  )
  return `<section id="figures" aria-labelledby="figures-title"><h2 id="figures-title">Figures</h2>
${tables.join('\n')}
${remarksHtml(report)}
</section>`
}

/** Comparisons of many systems are a long list, which opens when it is wanted. */
function remarksHtml(report: Report): string {
  const { differences, failures, measured } = remarksOf(report)
  const items = (sentences: readonly Sentence[]) =>
    sentences.map((text) => `<li>${htmlSentence(text)}</li>`).join('\n')
  if (differences.length <= DIFFERENCES_SHOWN) {
    return `<ul class="remarks">${items([...differences, ...failures, ...measured])}</ul>`
  }
  return `<details class="remarks"><summary>${differences.length} comparisons of two systems</summary><ul>${items(differences)}</ul></details>
<ul class="remarks">${items([...failures, ...measured])}</ul>`
}

function charts(report: Report, fidelity?: readonly FidelityPoint[]): string {
  const drawn = drawCharts(report, fidelity).map((chart) => chartHtml(chart, report.run.datasets.length > 1))
  return `<section id="charts" aria-labelledby="charts-title"><h2 id="charts-title">Charts</h2>
${
  drawn.length > 0
    ? `<p class="note">Point at a mark, touch it, or move with the arrow keys to see its value.</p>
<div class="columns">${drawn.join('\n')}</div>`
    : '<p class="empty">There are no figures to draw yet.</p>'
}
</section>`
}

function chartHtml({ id, title, note, key, panels, values }: Chart, namesDatasets: boolean): string {
  const drawn = panels.map(({ dataset, svg }) => {
    const name = namesDatasets && dataset !== undefined ? `<p class="dataset">${htmlName(dataset)}</p>` : ''
    const label = htmlText(`Values of: ${title}${dataset === undefined ? '' : `, ${isolated(dataset)}`}`)
    return `<div class="panel">${name}<div class="plot" role="group" tabindex="0" aria-label="${label}">${svg}</div></div>`
  })
  const legend = key?.map(({ label, colour }) => `<li><i style="background:${colour}"></i>${label}</li>`)
  return `<figure class="chart" id="chart-${id}"><figcaption>${title} <small>${note}</small></figcaption>
${legend ? `<ul class="legend">${legend.join('')}</ul>` : ''}
${drawn.join('\n')}
${values ? `<details><summary>Values<span class="hidden"> of ${title}</span></summary>${htmlTable(values, `values-${id}`)}</details>` : ''}</figure>`
}

function hasSpokenWords(
  utterances: readonly ListedUtterance[],
  audio: ReadonlyMap<number, EmbeddedAudio>,
): boolean {
  return [...audio.keys()].some((i) => utterances[i]?.results.some((result) => result?.spoken.length))
}

interface ListFacts {
  /** words with times, and audio to play from them */
  readonly hasWords: boolean
  /** some system is not an aligner: there are alignments */
  readonly isHeard: boolean
}

const MARKS = `<ul class="legend words" aria-label="Marks of the alignment">
<li><span class="h">word</span> <span class="note">right</span></li>
<li><span class="s"><del>reference</del> <ins>recognized</ins></span> <span class="note">another word (substitution)</span></li>
<li><del class="d">reference</del> <span class="note">missing word (deletion)</span></li>
<li><ins class="i">recognized</ins> <span class="note">added word (insertion)</span></li>
</ul>`

function list(count: number, withAudio: number, { hasWords, isHeard }: ListFacts): string {
  const below = isHeard ? 'Below each alignment is the recognized text. A' : 'A'
  const words = hasWords ? ` ${below} click on a word plays the clip from there.` : ''
  const some = `the audio of ${withAudio.toLocaleString('en')}, those with the most errors`
  const audio = withAudio < count ? ` The page has ${withAudio > 0 ? some : 'no audio'}.` : ''
  return `<section id="utterances" aria-labelledby="utterances-title"><h2 id="utterances-title">Utterances</h2>
<p class="note">${count === 1 ? 'One utterance.' : `${count.toLocaleString('en')} utterances.`}${audio}${words}</p>
${isHeard ? MARKS : ''}
<form id="filter">
<label>Find <input type="search" id="find" placeholder="word, id or speaker"></label>
<label>System <select id="system"></select></label>
<label>Show <select id="show"><option value="errors">with errors</option><option value="all">all</option><option value="failures">failed, cut, split or with a note</option><option value="differ">where systems differ</option></select></label>
<label>Sort by <select id="sort"><option value="errors">errors</option><option value="rate">error rate</option><option value="row">place in the dataset</option><option value="seconds">length</option><option value="latency">latency</option></select></label>
<p class="found"><output id="count"></output> utterances <button type="button" id="download">Download these as CSV</button></p>
</form>
<p id="empty" class="empty" hidden></p>
<ol id="list"></ol>
<button id="more" type="button" hidden>Show more</button>
<noscript><p class="empty">The list needs JavaScript.</p></noscript>
</section>`
}

/** What the scripts read: utterances as JSON, and the audio of each as text, decoded when it is played. */
function dataElements(
  report: Report,
  utterances: readonly ListedUtterance[],
  audio: ReadonlyMap<number, EmbeddedAudio>,
): string {
  const data = {
    formulas: [FORMULA, NUMBER].map(({ source, flags }) => ({ source, flags })),
    systems: report.run.systems.map(({ name }) => name),
    utterances: utterances.map(({ key: _, ...utterance }, i) => ({ ...utterance, hasAudio: audio.has(i) })),
  }
  const sounds = [...audio].map(
    ([i, { type, base64 }]) =>
      `<script type="text/plain" id="audio-${i}" data-type="${type}">${base64}</script>`,
  )
  return `<script type="application/json" id="data">${scriptSafe(JSON.stringify(data))}</script>
${sounds.join('\n')}`
}

/** Inside a script element only `</script` and `<!--` end or change what follows (HTML section 4.12.1.3). */
function scriptSafe(json: string): string {
  return json.replaceAll('<', '\\u003c')
}
