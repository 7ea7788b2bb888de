// SPDX-License-Identifier: Apache-2.0

import { announce, bdi, byId, element, isolated, systems, utterances } from './page-dom.js'

/** How far from a mark a pointer may be, in pixels. */
const REACH = 28
const tip = byId('tip')
/** The mark that the tip is about. */
let current

/** Rows of a table of values as it was written: sorting moves them. */
function rowsOf(figure) {
  const table = figure.querySelector('details table')
  if (!table) return undefined
  const labels = [...table.tHead.rows[0].cells].map(({ textContent }) => textContent)
  return [...table.tBodies[0].rows].map(({ cells }) =>
    [...cells].map(({ textContent }, i) => [labels[i], textContent]),
  )
}

/** What a mark stands for: names with values, and the utterance if it is one. */
function meaningOf(mark, rows) {
  const value = JSON.parse(mark.dataset.value)
  if (rows) return { facts: rows[value] }
  const [at, system] = value
  const { id, dataset, seconds, results } = utterances[at]
  return {
    at,
    facts: [
      ['utterance', id],
      ['dataset', dataset],
      ['system', systems[system]],
      ['clip', `${seconds.toFixed(1)} s`],
      ['compute', `${results[system].compute.toFixed(2)} s`],
    ],
  }
}

/** Where marks are, as shares of the drawing, so that they stay right when it changes its size. */
function spotsOf(plot) {
  const drawing = plot.querySelector('svg').getBoundingClientRect()
  return [...plot.querySelectorAll('[data-value]')].map((mark) => {
    const { left, right, top, bottom } = mark.getBoundingClientRect()
    const across = (x) => (x - drawing.left) / drawing.width
    const down = (y) => (y - drawing.top) / drawing.height
    return { mark, left: across(left), right: across(right), top: down(top), bottom: down(bottom) }
  })
}

function nearest(spots, drawing, event) {
  let [best, least] = [-1, REACH ** 2]
  for (const [i, { left, right, top, bottom }] of spots.entries()) {
    const outside = (value, low, high) => Math.max(low - value, 0, value - high)
    const x = outside(event.clientX - drawing.left, left * drawing.width, right * drawing.width)
    const y = outside(event.clientY - drawing.top, top * drawing.height, bottom * drawing.height)
    if (x ** 2 + y ** 2 < least) [best, least] = [i, x ** 2 + y ** 2]
  }
  return best
}

function hideTip() {
  current?.classList.remove('pointed')
  current = undefined
  tip.hidden = true
}

function showTip({ mark, left, right, top, bottom }, drawing, facts) {
  current?.classList.remove('pointed')
  current = mark
  mark.classList.add('pointed')
  tip.replaceChildren(
    ...facts.map(([name, text]) => element('div', '', element('span', '', name), bdi(text))),
  )
  tip.hidden = false
  const box = tip.getBoundingClientRect()
  const middle = drawing.left + ((left + right) / 2) * drawing.width - box.width / 2
  const above = drawing.top + top * drawing.height - box.height - 8
  const below = drawing.top + bottom * drawing.height + 8
  tip.style.left = `${Math.max(8, Math.min(middle, document.documentElement.clientWidth - box.width - 8))}px`
  tip.style.top = `${above > 8 ? above : below}px`
}

function watch(plot, rows) {
  let spots
  let at = -1
  const svg = plot.querySelector('svg')
  const to = (next, isSaid) => {
    at = next
    const drawing = svg.getBoundingClientRect()
    const { facts } = meaningOf(spots[at].mark, rows)
    showTip(spots[at], drawing, facts)
    if (isSaid) announce(facts.map(([name, text]) => `${name} ${isolated(text)}`).join(', '))
  }
  const point = (event) => {
    spots ??= spotsOf(plot)
    const found = nearest(spots, svg.getBoundingClientRect(), event)
    if (found < 0) hideTip()
    else to(found, false)
  }
  const open = () => {
    const { at: utterance } = at < 0 ? {} : meaningOf(spots[at].mark, rows)
    if (utterance !== undefined) dispatchEvent(new CustomEvent('utterance', { detail: utterance }))
  }
  plot.addEventListener('pointermove', point)
  plot.addEventListener('pointerdown', point)
  plot.addEventListener('pointerleave', (event) => event.pointerType === 'mouse' && hideTip())
  plot.addEventListener('blur', hideTip)
  plot.addEventListener('click', (event) => current && event.detail > 1 && open())
  plot.addEventListener('keydown', (event) => {
    spots ??= spotsOf(plot)
    // A value may have several marks, such as a dot and its interval: the keys take the last, which lies on top.
    const stops = [...new Map(spots.map(({ mark }, i) => [mark.dataset.value, i])).values()]
    const last = stops.length - 1
    const now = stops.findIndex(
      (i) => at >= 0 && spots[i].mark.dataset.value === spots[at].mark.dataset.value,
    )
    const steps = {
      ArrowRight: now + 1,
      ArrowDown: now + 1,
      ArrowLeft: now - 1,
      ArrowUp: now - 1,
      Home: 0,
      End: last,
    }
    if (event.key === 'Escape') hideTip()
    else if (event.key === 'Enter') open()
    else if (event.key in steps && last >= 0) {
      event.preventDefault()
      to(stops[Math.max(0, Math.min(last, steps[event.key]))], true)
    }
  })
}

for (const figure of document.querySelectorAll('.chart')) {
  const rows = rowsOf(figure)
  for (const plot of figure.querySelectorAll('.plot')) watch(plot, rows)
}
addEventListener('scroll', hideTip, { passive: true })
addEventListener('resize', hideTip)
