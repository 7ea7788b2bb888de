// SPDX-License-Identifier: Apache-2.0

import { element, plural } from './page-dom.js'
import { playable } from './page-words.js'

/** Words of several systems below each other, each where it is said, so that differences of their times are seen. */
export function timeline(seconds, lanes, sound) {
  const details = element('details', 'timeline', element('summary', '', 'Times of words'))
  details.addEventListener('toggle', () => details.children.length > 1 || details.append(drawn()), {
    once: true,
  })
  return details

  function drawn() {
    const cursor = element('div', 'cursor')
    const inner = element(
      'div',
      'lanes',
      axisOf(seconds),
      ...lanes.flatMap((lane) => laneOf(lane, sound)),
      cursor,
    )
    inner.style.setProperty('--seconds', seconds)
    cursor.hidden = true
    sound?.follow((at) => {
      cursor.hidden = at === undefined
      cursor.style.setProperty('--start', at ?? 0)
    })
    const scroll = element('div', 'scroll', inner)
    scroll.tabIndex = 0
    scroll.setAttribute('role', 'group')
    scroll.setAttribute('aria-label', `Times of words, ${plural(lanes.length, 'row')}`)
    return scroll
  }
}

/** A mark for each second. */
function axisOf(seconds) {
  const axis = element('div', 'axis')
  axis.ariaHidden = 'true'
  for (let second = 0; second <= seconds; second++) {
    const tick = element('span', '', `${second} s`)
    tick.style.setProperty('--start', second)
    axis.append(tick)
  }
  return axis
}

/** Its name above, as in the charts, so that a long one has room. */
function laneOf({ name, label, text, spoken }, sound) {
  const boxes = spoken.map(([from, to, start, end]) => boxOf(text.slice(from, to), start, end))
  const lane = element('div', 'lane', ...boxes)
  if (sound) playable(lane, boxes, spoken, sound, label)
  return [element('div', 'lane-name', ...name), lane]
}

function boxOf(text, start, end) {
  const box = element('span', 'word', element('bdi', '', text))
  box.title = `${text} ${start.toFixed(2)} to ${end.toFixed(2)} s`
  box.style.setProperty('--start', start)
  box.style.setProperty('--length', Math.max(0, end - start))
  return box
}
