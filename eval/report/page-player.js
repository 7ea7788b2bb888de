// SPDX-License-Identifier: Apache-2.0

import { announce, bdi, button, byId, element, hidden, isolated } from './page-dom.js'

/** Kept, since a list that is made again needs them again. */
const urls = new Map()

/** The bytes are text in the page until they are played. */
function urlOf(at) {
  if (!urls.has(at)) {
    const { textContent, dataset } = byId(`audio-${at}`)
    const bytes = Uint8Array.from(atob(textContent), (character) => character.charCodeAt(0))
    urls.set(at, URL.createObjectURL(new Blob([bytes], { type: dataset.type })))
  }
  return urls.get(at)
}

function makeAudio(at, id, play) {
  const audio = element('audio')
  audio.controls = true
  audio.setAttribute('aria-label', `Audio of ${isolated(id)}`)
  audio.src = urlOf(at)
  const name = (text) => play.replaceChildren(text, hidden(' ', bdi(id)))
  audio.addEventListener('play', () => name('Pause'))
  for (const event of ['pause', 'ended']) audio.addEventListener(event, () => name('Play'))
  audio.addEventListener('error', () => {
    audio.replaceWith(element('span', 'failure', 'This browser cannot play it.'))
    play.disabled = true
    announce('This browser cannot play it.')
  })
  return audio
}

/** The audio at a place in the list: a button that plays and pauses it, and on which the keyboard's focus stays. */
export function player(at, id) {
  const play = button('play', 'Play', hidden(' ', bdi(id)))
  const followers = []
  let audio
  const begin = () => {
    if (!audio) {
      audio = makeAudio(at, id, play)
      track(audio, (seconds) => {
        for (const show of followers) show(seconds)
      })
      play.after(audio)
    }
    return audio
  }
  play.addEventListener('click', () => {
    if (begin().paused) start(audio)
    else audio.pause()
  })
  return {
    play,
    playFrom(seconds) {
      const seek = () => {
        audio.currentTime = seconds
      }
      if (begin().readyState > 0) seek()
      else audio.addEventListener('loadedmetadata', seek, { once: true })
      start(audio)
    },
    /** Call with the place that is played, in seconds, while it moves; with none at the end. */
    follow: (show) => followers.push(show),
  }
}

function start(audio) {
  audio.play().catch(() => {})
}

/** With every picture while it plays: events alone come four times a second. */
function track(audio, tell) {
  let frame = 0
  const step = () => {
    tell(audio.currentTime)
    frame = requestAnimationFrame(step)
  }
  audio.addEventListener('playing', () => {
    cancelAnimationFrame(frame)
    step()
  })
  for (const event of ['pause', 'ended', 'seeked', 'emptied']) {
    audio.addEventListener(event, () => {
      if (event !== 'seeked') cancelAnimationFrame(frame)
      tell(audio.ended ? undefined : audio.currentTime)
    })
  }
}

/** One at a time, whichever control started it. */
document.addEventListener(
  'play',
  ({ target }) => {
    for (const audio of document.querySelectorAll('audio')) if (audio !== target) audio.pause()
  },
  true,
)
