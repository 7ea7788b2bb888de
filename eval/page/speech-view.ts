import { LANGUAGES } from '../runtime/languages.ts'
import { buttonOf, byId, divOf, element, inputOf, selectOf } from './dom.ts'
import { LONGEST_SECONDS, type Recording, record } from './microphone.ts'
import { hideProblem, showProblem } from './problem.ts'
import { clockText } from './quantities.ts'
import type { Sound } from './transcription.ts'

/* Where speech comes from: the microphone, a file that is chosen, or one that is dropped. */

let recording: Recording | undefined

/** @param onSound told what to transcribe */
export function prepareSpeech(onSound: (sound: Sound) => unknown): void {
  for (const name of Object.values(LANGUAGES)) selectOf('language').append(new Option(name, name))
  const input = inputOf('file')
  buttonOf('choose-file').addEventListener('click', () => input.click())
  input.addEventListener('change', () => {
    const [file] = input.files ?? []
    if (file) onSound({ name: file.name, file })
    input.value = '' // the same file may be chosen again
  })
  buttonOf('record').addEventListener('click', () => void toggle(onSound))
}

async function toggle(onSound: (sound: Sound) => unknown): Promise<void> {
  const made = buttonOf('record')
  made.disabled = true
  hideProblem('speech-problem')
  try {
    if (recording === undefined) await begin(onSound)
    else await end(onSound)
  } catch (error) {
    showProblem('speech-problem', error)
  } finally {
    made.disabled = false
  }
}

async function begin(onSound: (sound: Sound) => unknown): Promise<void> {
  const level = byId('level', HTMLMeterElement)
  const longest = clockText(LONGEST_SECONDS)
  recording = await record((value, seconds) => {
    level.value = value
    divOf('recording-text').textContent = `${clockText(seconds)} of at most ${longest}`
    if (seconds >= LONGEST_SECONDS) void end(onSound)
  })
  show(true)
}

async function end(onSound: (sound: Sound) => unknown): Promise<void> {
  const own = recording
  recording = undefined
  show(false)
  const recorded = await own?.stop()
  if (recorded && recorded.samples.length > 0) onSound({ name: 'recording', recorded })
}

function show(isRecording: boolean): void {
  divOf('recording').hidden = !isRecording
  divOf('drop-note').hidden = isRecording
  buttonOf('choose-file').disabled = isRecording
  const label = isRecording ? 'Stop and transcribe' : 'Record'
  buttonOf('record').replaceChildren(...(isRecording ? [element('i', 'dot')] : []), label)
}
