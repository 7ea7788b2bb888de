// SPDX-License-Identifier: Apache-2.0

import { LANGUAGES } from '../runtime/languages.ts'
import { SpeechError } from '../runtime/speech-error.ts'
import { announce, buttonOf, byId, divOf, element, inputOf, selectOf } from './dom.ts'
import { LONGEST_SECONDS, type Recording, record } from './microphone.ts'
import { hideProblem, showProblem } from './problem.ts'
import { clockText } from './quantities.ts'
import type { Sound } from './transcription.ts'

/* Where speech comes from: the microphone, a file that is chosen, or one that is dropped. */

let recording: Recording | undefined
/** The button was pressed, and the microphone has not followed yet. */
let isTurning = false
/** Recordings that were left count: one that begins late is not wanted any more. */
let left = 0

/**
 * Make the language list, the file button and the microphone button work.
 * @param onSound called with what to transcribe
 */
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

/** Give the microphone back, and forget what it gave. */
export async function leaveRecording(): Promise<void> {
  left++
  const own = recording
  recording = undefined
  show(false)
  await own?.stop()
}

/** The button is not disabled meanwhile: it would lose the keyboard. */
async function toggle(onSound: (sound: Sound) => unknown): Promise<void> {
  if (isTurning) return
  isTurning = true
  hideProblem('speech-problem')
  try {
    if (recording === undefined) await begin(onSound)
    else await end(onSound)
  } catch (error) {
    showProblem('speech-problem', error)
  } finally {
    isTurning = false
  }
}

async function begin(onSound: (sound: Sound) => unknown): Promise<void> {
  const level = byId('level', HTMLMeterElement)
  const longest = clockText(LONGEST_SECONDS)
  const before = left
  const made = await record((value, seconds) => {
    level.value = value
    divOf('recording-text').textContent = `${clockText(seconds)} of at most ${longest}`
    if (seconds >= LONGEST_SECONDS) void end(onSound)
  })
  if (left !== before) return void (await made.stop())
  recording = made
  level.value = 0
  divOf('recording-text').textContent = `0:00 of at most ${longest}`
  show(true)
  announce('Recording.')
}

async function end(onSound: (sound: Sound) => unknown): Promise<void> {
  const own = recording
  recording = undefined
  show(false)
  if (own === undefined) return
  const recorded = await own.stop()
  if (recorded.samples.length === 0)
    throw new SpeechError('The microphone gave no sound.', 'Record again, for longer, or choose a file.')
  onSound({ name: 'recording', recorded })
}

function show(isRecording: boolean): void {
  divOf('recording').hidden = !isRecording
  divOf('drop-note').hidden = isRecording
  buttonOf('choose-file').hidden = isRecording
  const label = isRecording ? 'Stop and transcribe' : 'Record'
  buttonOf('record').replaceChildren(...(isRecording ? [element('i', 'dot')] : []), label)
}
