// SPDX-License-Identifier: Apache-2.0

import { cuesOf, srt, vtt } from '../cues.ts'
import { CONVERT } from '../runtime/audio/ffmpeg.web.ts'
import { encodeWav } from '../runtime/audio/wav.ts'
import { LOST_DEVICE } from '../runtime/device-errors.ts'
import type { TranscribeOptions, Transcript } from '../runtime/qwen3-asr.ts'
import { decodedByBrowser } from './decoded-audio.ts'
import { announce, button, buttonOf, byId, divOf, element, inputOf, saveAs, selectOf } from './dom.ts'
import type { Recorded } from './microphone.ts'
import type { Engine } from './page-engine.ts'
import { hideProblem, showProblem } from './problem.ts'
import { clockText } from './quantities.ts'
import { showSpeed } from './speed.ts'
import { showTimes } from './times.ts'
import type { Device } from './variant-choice.ts'

/* One recording at a time, from its samples or file to text on the page. */

/** A recording with a name for the files that are saved. */
export type Sound = { readonly name: string } & ({ readonly file: File } | { readonly recorded: Recorded })

let stop: AbortController | undefined
/** of the last transcript that is complete */
let lastEngine: Engine | undefined
let last: { readonly transcript: Transcript; readonly name: string } | undefined

/** Load the model and transcribe a recording again. */
type HearAgain = (sound: Sound, provider: Device['provider']) => unknown
let hearAgain: HearAgain = () => undefined

/**
 * Make the buttons of a transcript work: stop, copy, and save as text or subtitles.
 * @param again called when the device was lost, and the user wants the recording to be transcribed again
 */
export function prepareTranscription(again: HearAgain): void {
  hearAgain = again
  buttonOf('stop').addEventListener('click', () => stop?.abort())
  buttonOf('copy').addEventListener('click', () => void copyText())
  buttonOf('save-txt').addEventListener('click', () => save('txt', ({ text }) => `${text}\n`))
  buttonOf('save-srt').addEventListener('click', () => save('srt', ({ segments }) => srt(cuesOf(segments))))
  buttonOf('save-vtt').addEventListener('click', () =>
    save('vtt', ({ segments }) => vtt(cuesOf(segments), { marksWords: true })),
  )
}

/** Whatever is being transcribed is left. */
export function stopTranscription(): void {
  stop?.abort()
}

/** Transcribe a recording and show it. What fails is said in its place. */
export async function transcribe(engine: Engine, sound: Sound): Promise<void> {
  stop?.abort()
  const own = new AbortController()
  stop = own
  hideProblem('speech-problem')
  begin(sound)
  const started = performance.now()
  const timer = setInterval(
    () => tell(`Transcribing: ${clockText((performance.now() - started) / 1000)}`),
    500,
  )
  try {
    const transcript = await heard(engine, sound, own.signal)
    if (stop === own) finish(engine, transcript, sound, (performance.now() - started) / 1000)
  } catch (error) {
    if (stop !== own) return
    if (own.signal.aborted) showStopped()
    else showFailure(error, sound)
  } finally {
    clearInterval(timer)
    if (stop === own) end()
  }
}

/** Files of formats that the runtime leaves to others are decoded by the browser. */
async function heard({ asr }: Engine, sound: Sound, signal: AbortSignal): Promise<Transcript> {
  const language = selectOf('language').value
  const context = inputOf('context').value.trim()
  const options: TranscribeOptions = { signal, ...(language && { language }), ...(context && { context }) }
  const run = (audio: Blob | Float32Array, rate?: number) =>
    showText(asr.stream(audio, { ...options, ...(rate && { sampleRate: rate }) }), signal)
  if ('recorded' in sound) return run(sound.recorded.samples, sound.recorded.sampleRate)
  try {
    return await run(sound.file)
  } catch (error) {
    if ((error as { readonly hint?: string }).hint !== CONVERT) throw error
    tell('The browser decodes the file.')
    const { samples, sampleRate } = await decodedByBrowser(sound.file)
    return run(samples, sampleRate)
  }
}

async function showText(
  stream: ReturnType<Engine['asr']['stream']>,
  signal: AbortSignal,
): Promise<Transcript> {
  const place = divOf('text')
  for await (const text of stream) {
    signal.throwIfAborted() // the place is another recording's by now
    place.append(text)
  }
  return stream.result
}

function begin(sound: Sound): void {
  divOf('result').hidden = false
  const hadFocus = divOf('done').contains(document.activeElement)
  divOf('done').hidden = true
  divOf('running').hidden = false
  if (hadFocus) buttonOf('stop').focus()
  divOf('stopped').hidden = true
  divOf('text').replaceChildren()
  tell('Transcribing')
  announce('Transcribing.')
  const player = byId('player', HTMLAudioElement)
  URL.revokeObjectURL(player.src)
  player.src = URL.createObjectURL('file' in sound ? sound.file : wavOf(sound.recorded))
}

/** The text so far stays. */
function showFailure(error: unknown, sound: Sound): void {
  const isLost = (error as { readonly hint?: string }).hint === LOST_DEVICE
  const again = (text: string, provider: Device['provider']) => button(text, () => hearAgain(sound, provider))
  const actions = [again('Load it again', 'webgpu'), again('Load it on the processor', 'cpu')]
  showProblem('speech-problem', error, isLost ? actions : [])
  if (divOf('text').textContent !== '') showIncomplete('The text is incomplete.')
}

function showStopped(): void {
  const isEmpty = divOf('text').textContent === ''
  const text = isEmpty ? 'Stopped before any text came.' : 'Stopped. The text is incomplete.'
  showIncomplete(text)
  announce(text)
}

function showIncomplete(text: string): void {
  divOf('stopped').textContent = text
  divOf('stopped').hidden = false
}

/** The button to stop goes; the keyboard continues from what follows it. */
function end(): void {
  const hadFocus = divOf('running').contains(document.activeElement)
  divOf('running').hidden = true
  const isEmpty = divOf('text').textContent === '' && divOf('stopped').hidden && divOf('done').hidden
  divOf('result').hidden = isEmpty
  if (hadFocus) buttonOf(divOf('done').hidden ? 'record' : 'copy').focus()
}

function finish(engine: Engine, transcript: Transcript, { name }: Sound, took: number): void {
  const { text, warnings } = transcript
  last = { transcript, name: name.replace(/\.[^.]+$/, '') }
  divOf('text').replaceChildren(text === '' ? element('span', 'note', 'No speech was recognized.') : text)
  divOf('warnings').replaceChildren(...warnings.map((warning) => element('li', '', warning)))
  showTimes(transcript)
  showSpeed(transcript, { took, isFirst: engine !== lastEngine, device: engine.device })
  lastEngine = engine
  const captions = byId('captions', HTMLTrackElement)
  URL.revokeObjectURL(captions.src)
  captions.src = URL.createObjectURL(new Blob([vtt(cuesOf(transcript.segments))], { type: 'text/vtt' }))
  divOf('done').hidden = false
  announce(text === '' ? 'No speech was recognized.' : `Done: ${text}`)
}

function wavOf({ samples, sampleRate }: Recorded): Blob {
  return new Blob([new Uint8Array(encodeWav(samples, sampleRate))], { type: 'audio/wav' })
}

async function copyText(): Promise<void> {
  if (last === undefined) return
  const copied = await navigator.clipboard.writeText(last.transcript.text).then(
    () => true,
    () => false,
  )
  announce(copied ? 'Copied.' : 'The browser refused to copy. Select the text instead.')
  const made = buttonOf('copy')
  made.textContent = copied ? 'Copied' : 'Not copied'
  setTimeout(() => {
    made.textContent = 'Copy'
  }, 2000)
}

function save(extension: string, content: (transcript: Transcript) => string): void {
  if (last === undefined) return
  const types: Readonly<Record<string, string>> = { vtt: 'text/vtt', srt: 'application/x-subrip' }
  saveAs(`${last.name}.${extension}`, content(last.transcript), types[extension] ?? 'text/plain')
}

function tell(text: string): void {
  divOf('running-text').textContent = text
}
