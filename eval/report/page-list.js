// SPDX-License-Identifier: Apache-2.0

import { downloadCsv } from './page-csv.js'
import { bdi, byId, element, hidden, isolated, nameOf, plural, systems, utterances } from './page-dom.js'
import { player } from './page-player.js'
import { timeline } from './page-timeline.js'
import { spokenText } from './page-words.js'

const PAGE = 25
const [find, system, show, sort] = ['find', 'system', 'show', 'sort'].map(byId)
const [list, more, empty] = ['list', 'more', 'empty'].map(byId)
const marks = [...document.querySelectorAll('#systems .mark')]
const searched = utterances.map(({ id, speaker, reference, results }) =>
  folded([id, speaker, reference, ...results.map((result) => result?.text ?? '')].join('\n')),
)
/** Places of utterances that are found, how many of them are in the list, and the one that a link has opened. */
let found = []
let shown = 0
let linked = -1

/** Results of the chosen system, or of all. */
const isChosen = (i) => system.value === '' || Number(system.value) === i
const resultsOf = ({ results }) => results.filter((result, i) => result && isChosen(i))
const most = (utterance, of) => Math.max(0, ...resultsOf(utterance).map(of))
const SORT = {
  errors: (utterance) => -most(utterance, ({ errors }) => errors),
  rate: (utterance) => -most(utterance, ({ errors, words }) => errors / Math.max(1, words.length)),
  row: ({ row }) => row,
  seconds: ({ seconds }) => -seconds,
  latency: (utterance) => -most(utterance, ({ compute }) => compute),
}
const SHOW = {
  all: () => true,
  errors: (utterance) => resultsOf(utterance).some(({ errors }) => errors > 0),
  failures: (utterance) =>
    utterance.notes.length > 0 ||
    resultsOf(utterance).some(({ failures, splits }) => failures.length + splits.length > 0),
  differ: ({ results }) =>
    new Set(results.filter((result) => !result?.isAligned).map((result) => result?.heard.join(' '))).size > 1,
}
const NONE = {
  all: 'There are no utterances in this report.',
  errors: 'No utterance has errors.',
  failures: 'No output failed, was cut, or was split, and no recording was read with a note.',
  differ: 'The systems differ nowhere.',
}

function folded(text) {
  return text.normalize('NFC').toLowerCase()
}

/** Names of utterances in links: the dataset and the place in it, which stay when the report is made again. */
const fragments = new Map()
for (const [i, { dataset, row }] of utterances.entries()) {
  const name = `#utterance/${encodeURIComponent(dataset.toWellFormed?.() ?? dataset)}/${row}`
  fragments.set(fragments.has(name) ? `${name}/${i}` : name, i)
}
const linkOf = [...fragments.keys()]

/** Reference and hypothesis as one line: what was said instead, left out, or put in. */
function alignment({ operations, words, heard }) {
  const line = element('bdi', 'words')
  let [i, j] = [0, 0]
  for (const operation of operations) {
    if (operation === 'h') line.append(element('span', 'h', words[i]))
    else if (operation === 's')
      line.append(element('span', 's', element('del', '', words[i]), ' ', element('ins', '', heard[j])))
    else if (operation === 'd') line.append(element('del', 'd', words[i]))
    else line.append(element('ins', 'i', heard[j]))
    line.append(' ')
    if (operation !== 'i') i++
    if (operation !== 'd') j++
  }
  return line
}

function errorsText({ errors, words, compute, isAligned }) {
  if (isAligned) return `the reference, aligned, ${compute.toFixed(2)}\u00a0s`
  const of = words.length > 0 ? ` in ${plural(words.length, 'word')}` : '; the reference has no words'
  return `${plural(errors, 'error')}${of}, ${compute.toFixed(2)}\u00a0s`
}

function headOf(at, sound) {
  const { id, dataset, speaker, seconds } = utterances[at]
  const link = element('a', 'id', hidden('Link to '), nameOf(id))
  link.href = linkOf[at]
  const facts = [[dataset], ...(speaker ? [['speaker ', speaker]] : [])].map((parts) =>
    element('span', '', ...parts.slice(0, -1), nameOf(parts.at(-1))),
  )
  const control = sound?.play ?? element('span', '', 'no audio in this page')
  return element('div', 'head', link, ...facts, element('span', '', `${seconds.toFixed(1)} s`), control)
}

function textOf({ text, spoken }, i, id, sound) {
  if (!sound || spoken.length === 0) return bdi(text, 'text')
  return spokenText(text, spoken, sound, `${systems[i]}, ${id}`)
}

function resultOf(result, i, id, sound) {
  const name = element(
    'div',
    'name',
    marks[i].cloneNode(true),
    nameOf(systems[i]),
    element('small', '', errorsText(result)),
  )
  const tags = result.failures.map((failure) => element('span', 'failure', bdi(failure)))
  if (result.splits.length > 0) {
    const at = result.splits.map((seconds) => `${seconds.toFixed(1)} s`).join(', ')
    tags.push(element('span', 'split', `split at ${at}`))
  }
  const text = textOf(result, i, id, sound)
  const heard = element('div', 'heard', ...(result.isAligned ? [] : [alignment(result)]), text, ...tags)
  return element('div', 'result', name, heard)
}

function itemOf(at) {
  const { id, reference, notes, results, hasAudio } = utterances[at]
  const sound = hasAudio ? player(at, id) : undefined
  const told = notes.map((note) =>
    element('span', 'noted', 'The recording was read with a note: ', bdi(note)),
  )
  const text = element('div', 'heard', bdi(reference, 'reference'), ...told)
  const said = element('div', 'result', element('div', 'name', 'Reference'), text)
  const item = element('li', '', headOf(at, sound), said)
  item.id = `utterance-${at}`
  item.tabIndex = -1
  results.forEach((result, i) => {
    if (result && isChosen(i)) item.append(resultOf(result, i, id, sound))
  })
  const lanes = lanesOf(utterances[at])
  if (lanes.length > 1) item.append(timeline(utterances[at].seconds, lanes, sound))
  return item
}

/** The known times, and those of all chosen systems that have some. */
function lanesOf({ id, reference, said, results }) {
  const known = { name: ['Reference'], label: `the reference, ${id}`, text: reference, spoken: said }
  const told = results.flatMap((result, i) => {
    if (!result || !isChosen(i)) return []
    const name = [marks[i].cloneNode(true), nameOf(systems[i])]
    return [{ name, label: `${systems[i]}, ${id}`, text: result.text, spoken: result.spoken }]
  })
  return [known, ...told].filter(({ spoken }) => spoken.length > 0)
}

function addItems() {
  const next = found.slice(shown, shown + PAGE)
  shown += next.length
  const items = next.filter((at) => at !== linked).map(itemOf)
  list.append(...items)
  more.hidden = shown >= found.length
  return items
}

function update() {
  const wanted = folded(find.value.trim())
  const isFound = (utterance, i) => SHOW[show.value](utterance) && searched[i].includes(wanted)
  found = [...utterances.keys()].filter((i) => isFound(utterances[i], i))
  const keys = new Map(found.map((i) => [i, SORT[sort.value](utterances[i])]))
  found.sort((a, b) => keys.get(a) - keys.get(b) || utterances[a].row - utterances[b].row)
  shown = 0
  list.replaceChildren(...(linked < 0 ? [] : [itemOf(linked)]))
  addItems()
  byId('count').textContent = `${found.length} of ${utterances.length}`
  byId('download').disabled = found.length === 0
  empty.hidden = found.length > 0
  empty.textContent =
    wanted && utterances.length > 0
      ? 'No utterance matches.'
      : NONE[utterances.length === 0 ? 'all' : show.value]
}

/** Show an utterance, whether the filter finds it or not, and go to it. */
function open(at) {
  if (!byId(`utterance-${at}`)) {
    linked = at
    update()
  }
  for (const item of list.querySelectorAll('.linked')) item.classList.remove('linked')
  const item = byId(`utterance-${at}`)
  item.classList.add('linked')
  item.focus({ preventScroll: true })
  item.scrollIntoView({ block: 'start' })
}

function openLink() {
  const at = fragments.get(location.hash)
  if (at !== undefined) open(at)
  else if (location.hash.startsWith('#utterance/')) {
    empty.hidden = false
    empty.textContent = 'The utterance of this link is not in the report.'
    empty.scrollIntoView({ block: 'center' })
  }
}

function csvRows() {
  const names = [
    'dataset',
    'id',
    'row',
    'speaker',
    'seconds',
    'system',
    'reference',
    'text',
    'words',
    'errors',
    'substitutions',
    'deletions',
    'insertions',
    'compute_seconds',
    'remarks',
  ]
  const count = (operations, letter) => operations.split(letter).length - 1
  const rows = found.flatMap((at) => {
    const { dataset, id, row, speaker, seconds, reference, notes, results } = utterances[at]
    return results.flatMap((result, i) => {
      if (!result || !isChosen(i)) return []
      const { text, words, errors, operations, compute, failures, isAligned } = result
      const kinds = ['s', 'd', 'i'].map((letter) => count(operations, letter))
      const counts = [words.length, errors, ...kinds].map((number) => (isAligned ? '' : number))
      return [
        [
          dataset,
          id,
          row,
          speaker,
          seconds,
          systems[i],
          reference,
          text,
          ...counts,
          compute,
          [...failures, ...notes].join('; '),
        ],
      ]
    })
  })
  return [names, ...rows]
}

system.append(new Option('all', ''), ...systems.map((name, i) => new Option(isolated(name), i)))
for (const control of [find, system, show, sort]) {
  control.addEventListener('input', () => {
    if (linked >= 0) history.replaceState(null, '', '#utterances')
    linked = -1
    update()
  })
}
byId('filter').addEventListener('submit', (event) => event.preventDefault())
byId('download').addEventListener('click', () => downloadCsv('utterances.csv', csvRows()))
more.addEventListener('click', () => {
  const [first] = addItems()
  if (more.hidden) first?.focus()
})
addEventListener('hashchange', openLink)
addEventListener('utterance', ({ detail }) => {
  location.hash = linkOf[detail]
  open(detail)
})
if (!utterances.some(({ results }) => results.some((result) => result && !result.isAligned)))
  show.value = 'all' // aligners make no errors of words
update()
openLink()
