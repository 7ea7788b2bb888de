import { readFile } from 'node:fs/promises'
import type { Score } from '../score.ts'
import { totalErrors } from '../wer.ts'
import { type Chart, colourOf, drawCharts } from './charts.ts'
import type { Report } from './report.ts'
import { remarks, type TextTable, textTables } from './tables.ts'

/** Audio that a page carries at most, in bytes; what has the most errors comes first. */
const AUDIO_BUDGET = 48_000_000

export interface PageOptions {
  /** where the audio of an utterance is, if it is here */
  readonly audioPath: (dataset: string, key: string) => string | undefined
  readonly audioBudget?: number
}

/** report.html: one page that needs nothing but itself. */
export async function reportPage(report: Report, options: PageOptions): Promise<string> {
  const [style, script] = await Promise.all(
    ['page.css', 'browse.js'].map((name) => readFile(new URL(name, import.meta.url), 'utf8')),
  )
  const utterances = listUtterances(report)
  const audio = await embedAudio(utterances, options)
  const data = {
    systems: report.run.systems.map(({ name }) => ({ name, colour: colourOf(report, name) })),
    utterances: utterances.map(({ key: _, ...utterance }, i) => ({ ...utterance, hasAudio: audio.has(i) })),
  }
  const left = utterances.length - audio.size
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>WER and RTF: ${htmlText(report.run.datasets.map(({ name }) => name).join(', '))}</title>
<style>${style}</style>
</head>
<body>
<header>
<h1>WER and RTF</h1>
<p>${htmlText(sourceLines(report).join(' · '))}</p>
<p class="legend">${report.run.systems.map(({ name }) => `<span><i style="background:${colourOf(report, name)}"></i>${htmlText(name)}</span>`).join('')}</p>
</header>
<main>
<section id="figures"><h2>Figures</h2>
${textTables(report).map(tableHtml).join('\n')}
<ul>${remarks(report)
    .map((text) => `<li>${htmlText(text)}</li>`)
    .join('')}</ul>
</section>
<section id="charts"><h2>Charts</h2>
${drawCharts(report).map(chartHtml).join('\n')}
</section>
<section id="utterances"><h2>Utterances</h2>
<p class="note">${utterances.length} utterances${left > 0 ? `; the page carries the audio of ${audio.size}, those with the most errors` : ''}.</p>
<form id="filter">
<label>Find <input type="search" id="find" placeholder="word, id or speaker"></label>
<label>System <select id="system"></select></label>
<label>Show <select id="show"><option value="errors">with errors</option><option value="all">all</option><option value="failures">failed outputs</option><option value="differ">where systems differ</option></select></label>
<label>Sort by <select id="sort"><option value="errors">errors</option><option value="rate">error rate</option><option value="row">place in the dataset</option><option value="seconds">length</option><option value="latency">latency</option></select></label>
<output id="count"></output>
</form>
<ol id="list"></ol>
<button id="more" type="button">Show more</button>
</section>
</main>
<script type="application/json" id="data">${scriptSafe(JSON.stringify(data))}</script>
${[...audio].map(([i, { type, base64 }]) => `<script type="text/plain" id="audio-${i}" data-type="${type}">${base64}</script>`).join('\n')}
<script>${script}</script>
</body>
</html>
`
}

/** Which utterances of which data, so that somebody else can take the same. */
function sourceLines({ run }: Report): string[] {
  const part = run.shard ? [`part ${run.shard.index} of ${run.shard.of}`] : []
  const how = Object.entries(run.selection).map(([name, value]) => `${name} ${value}`)
  return [
    ...run.datasets.map(({ name, source, count, of }) => {
      const details = Object.entries(source).map(([key, value]) => `${key} ${value}`)
      return `${name}: ${count} of ${of} utterances (${details.join(', ')})`
    }),
    ...[how.join(', '), ...part],
  ]
}

interface ListedUtterance {
  readonly key: string
  readonly dataset: string
  readonly id: string
  readonly row: number
  readonly speaker: string
  readonly seconds: number
  readonly reference: string
  /** by place in the list of systems; null where one has none */
  readonly results: readonly (ListedResult | null)[]
}

interface ListedResult {
  /** one letter for each step of the alignment, and the words of both sides */
  readonly operations: string
  readonly words: readonly string[]
  readonly heard: readonly string[]
  readonly errors: number
  readonly text: string
  readonly compute: number
  /** failed in a way that WER does not name */
  readonly failures: readonly string[]
}

function listUtterances(report: Report): ListedUtterance[] {
  return [...report.scores].flatMap(([dataset, systems]) => {
    const keys = new Map<string, Score>()
    for (const scores of systems.values()) for (const score of scores) keys.set(score.record.key, score)
    const bySystem = [...systems.values()].map(
      (scores) => new Map(scores.map((score) => [score.record.key, score] as const)),
    )
    return [...keys].map(([key, { record }]) => {
      const results = bySystem.map((scores) => listResult(scores.get(key)))
      const seconds = Math.max(...bySystem.map((scores) => scores.get(key)?.record.seconds ?? 0))
      const { id, row, speaker = '', reference } = record
      return { key, dataset, id, row, speaker, seconds, reference, results }
    })
  })
}

function listResult(score: Score | undefined): ListedResult | null {
  if (!score) return null
  const { record, operations, reference, hypothesis, errors } = score
  return {
    ...{ operations: operations.join(''), words: reference, heard: hypothesis, errors: totalErrors(errors) },
    ...{ text: record.text, compute: Number(record.compute.toFixed(4)), failures: failuresOf(score) },
  }
}

function failuresOf({ record }: Score): string[] {
  const { problem, text, pieces } = record
  const any = (is: (piece: (typeof pieces)[number]) => boolean, what: string) =>
    pieces.some(is) ? [what] : []
  return [
    ...(problem === undefined ? [] : [problem]),
    ...(problem === undefined && text === '' ? ['empty'] : []),
    ...any(({ saysNone }) => saysNone, 'language None'),
    ...any(({ hasMarker }) => !hasMarker, 'no <asr_text>'),
    ...any(({ ending }) => ending === 'loop', 'loop stopped'),
    ...any(({ ending }) => ending === 'limit', 'token limit'),
    ...(pieces.length > 1
      ? [
          `split at ${pieces
            .slice(1)
            .map(({ start }) => `${start.toFixed(1)} s`)
            .join(', ')}`,
        ]
      : []),
  ]
}

/** By place in the list. */
async function embedAudio(
  utterances: readonly ListedUtterance[],
  { audioPath, audioBudget = AUDIO_BUDGET }: PageOptions,
): Promise<Map<number, { type: string; base64: string }>> {
  const out = new Map<number, { type: string; base64: string }>()
  const errorsOf = (i: number) =>
    Math.max(0, ...(utterances[i]?.results.map((result) => result?.errors ?? 0) ?? []))
  const order = [...utterances.keys()].sort((a, b) => errorsOf(b) - errorsOf(a) || a - b)
  let left = audioBudget
  for (const i of order) {
    const { dataset, key } = utterances[i] as ListedUtterance
    const path = audioPath(dataset, key)
    const bytes = path === undefined ? undefined : await readFile(path).catch(() => undefined)
    const type = bytes && mediaType(bytes)
    if (!bytes || !type || bytes.length > left) continue
    left -= bytes.length
    out.set(i, { type, base64: bytes.toString('base64') })
  }
  return out
}

/** What browsers play, by its first bytes. */
function mediaType(bytes: Uint8Array): string | undefined {
  const head = Buffer.from(bytes.subarray(0, 12)).toString('latin1')
  if (head.startsWith('fLaC')) return 'audio/flac'
  if (head.startsWith('RIFF')) return 'audio/wav'
  if (head.startsWith('OggS')) return 'audio/ogg'
  if (head.slice(4, 8) === 'ftyp') return 'audio/mp4'
  return head.startsWith('ID3') || (bytes[0] === 0xff && ((bytes[1] ?? 0) & 0xe0) === 0xe0)
    ? 'audio/mpeg'
    : undefined
}

function tableHtml({ title, columns, rows }: TextTable): string {
  const cells = (tag: string, values: readonly string[]) =>
    values.map((value, i) => `<${tag}${i === 0 ? ' scope="row"' : ''}>${htmlText(value)}</${tag}>`).join('')
  const body = rows.map((row) => `<tr>${cells('td', row)}</tr>`).join('')
  return `<figure class="table"><figcaption>${htmlText(title)}</figcaption><table><thead><tr>${cells('th', columns)}</tr></thead><tbody>${body}</tbody></table></figure>`
}

function chartHtml({ id, title, note, svg }: Chart): string {
  return `<figure class="chart" id="chart-${id}"><figcaption>${htmlText(title)} <small>${htmlText(note)}</small></figcaption>${svg}</figure>`
}

function htmlText(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

/** Inside a script element only `</script` and `<!--` end or change what follows (HTML section 4.12.1.3). */
function scriptSafe(json: string): string {
  return json.replaceAll('<', '\\u003c')
}
