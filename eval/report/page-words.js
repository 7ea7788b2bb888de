// SPDX-License-Identifier: Apache-2.0

import { element, isolated } from './page-dom.js'

/** Seconds that a word is shown at least: some have no length. */
const LEAST = 0.05

/**
 * A text whose words play the clip from where they are said, and which shows the word that is being said. One word is in the order of
 * the Tab key; the arrow keys lead to the others.
 */
export function spokenText(text, spoken, sound, label) {
  const words = spoken.map(([from, to]) => element('span', 'word', text.slice(from, to)))
  const line = element('bdi', 'text spoken', ...withBetween(text, spoken, words))
  return playable(line, words, spoken, sound, label)
}

/** Let the words of a line play the clip, and show which is being said. */
export function playable(line, words, spoken, sound, label) {
  for (const word of words) {
    word.setAttribute('role', 'button')
    word.tabIndex = -1
  }
  line.setAttribute('role', 'group')
  line.setAttribute('aria-label', `Words of ${isolated(label)}: Enter plays from a word`)
  const play = (word) => sound.playFrom(spoken[words.indexOf(word)][2])
  line.addEventListener('click', ({ target }) => {
    const word = target.closest('.word')
    if (!word || isSelected(word)) return
    choose(words, word)
    play(word)
  })
  line.addEventListener('keydown', (event) => onKey(event, words, play))
  let shown
  sound.follow((seconds) => {
    const said = words[wordAt(spoken, seconds)]
    if (said === shown) return
    shown?.removeAttribute('aria-current')
    said?.setAttribute('aria-current', 'true')
    shown = said
  })
  if (words[0]) words[0].tabIndex = 0
  return line
}

/** Letters of it: then the click is the end of selecting them. */
function isSelected(word) {
  const selection = getSelection()
  return !selection.isCollapsed && selection.containsNode(word, true)
}

/** Words with what stands between them. */
function withBetween(text, spoken, words) {
  const ends = [0, ...spoken.map(([, to]) => to)]
  const parts = words.flatMap((word, i) => [text.slice(ends[i], spoken[i][0]), word])
  return [...parts, text.slice(ends.at(-1))]
}

function wordAt(spoken, seconds) {
  return spoken.findLastIndex(
    ([, , start, end]) => start <= seconds && seconds < Math.max(end, start + LEAST),
  )
}

function onKey(event, words, play) {
  const at = words.indexOf(event.target)
  if (at < 0 || event.altKey || event.ctrlKey || event.metaKey) return
  const forward = getComputedStyle(words[at].parentElement).direction === 'rtl' ? 'ArrowLeft' : 'ArrowRight'
  const backward = forward === 'ArrowLeft' ? 'ArrowRight' : 'ArrowLeft'
  const steps = { [forward]: at + 1, [backward]: at - 1, Home: 0, End: words.length - 1 }
  if (event.key === 'Enter' || event.key === ' ') play(words[at])
  else if (event.key in steps) choose(words, words[steps[event.key]])
  else return
  event.preventDefault()
}

/** Make a word the one that Tab leads to, and go to it. */
function choose(words, word) {
  if (!word) return
  for (const other of words) other.tabIndex = other === word ? 0 : -1
  word.focus()
}
