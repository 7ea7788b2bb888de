// SPDX-License-Identifier: Apache-2.0

import type { Segment, Transcript } from '../runtime/qwen3-asr.ts'
import { bdi, button, byId, divOf, element } from './dom.ts'
import { clockText } from './quantities.ts'

/** Words that are shown, with their times, in their order. */
let words: { readonly node: HTMLElement; readonly start: number; readonly end: number }[] = []

const player = () => byId('player', HTMLAudioElement)

/** Show the segments with their times; a word that is clicked is played, and the one that is played is marked. */
export function showTimes({ segments }: Transcript): void {
  words = []
  divOf('segments').replaceChildren(...segments.filter(({ text }) => text !== '').map(segmentItem))
  player().ontimeupdate = markWord
}

function segmentItem({ start, end, text, language, words: own }: Segment): HTMLElement {
  const times = `${clockText(start)}–${clockText(end)}`
  const play = button(times, () => playFrom(start))
  play.setAttribute('aria-label', `Play ${times}`)
  const said = own && own.length > 0 ? wordNodes(text, own) : [text]
  const note = element('small', 'note', language ?? 'no language')
  const body = element('bdi', 'said', ...said)
  return element('li', '', element('div', 'row', play, note), body)
}

/** The text with its words as elements: what stands between them stays. */
function wordNodes(text: string, own: NonNullable<Segment['words']>): (Node | string)[] {
  let at = 0
  const nodes = own.flatMap(({ text: word, start, end }) => {
    const place = text.indexOf(word, at)
    if (place < 0) return []
    const between = text.slice(at, place)
    at = place + word.length
    const node = bdi(word)
    node.className = 'word'
    node.title = `${start.toFixed(2)}–${end.toFixed(2)} s`
    node.addEventListener('click', () => playFrom(start))
    words.push({ node, start, end })
    return [between, node]
  })
  return [...nodes, text.slice(at)]
}

function playFrom(start: number): void {
  player().currentTime = start
  void player().play()
}

function markWord(): void {
  const now = player().currentTime
  for (const { node, start, end } of words) node.toggleAttribute('data-now', start <= now && now < end)
}
