import { announce, bdi, button, byId, element, hidden, isolated } from './page-dom.js'

/** Kept, since a list that is made anew needs them again. */
const urls = new Map()

/** The bytes are text in the page until somebody wants to hear them. */
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

/** A button that plays and pauses the audio at a place in the list; the keyboard's focus stays on it. */
export function player(at, id) {
  const play = button('play', 'Play', hidden(' ', bdi(id)))
  let audio
  play.addEventListener('click', () => {
    if (!audio) {
      audio = makeAudio(at, id, play)
      play.after(audio)
    }
    if (audio.paused) audio.play().catch(() => {})
    else audio.pause()
  })
  return play
}

/** One at a time, whichever control started it. */
document.addEventListener(
  'play',
  ({ target }) => {
    for (const audio of document.querySelectorAll('audio')) if (audio !== target) audio.pause()
  },
  true,
)
