import { fileURLToPath } from 'node:url'
import type { AudioSource } from './audio/speech-stream.ts'
import type { AudioInput } from './opened-audio.ts'
import { SpeechError } from './speech-error.ts'

/** What is transcribed: an audio file's path or `file:` URL, an open descriptor, or mono samples, full scale 1. */
export type Audio = string | URL | Float32Array | Extract<AudioSource, { readonly fd: number }>

/** @throws SpeechError for what is not audio, which programs without types may hand in */
export function inputOf(audio: Audio, sampleRate: number): AudioInput {
  if (audio instanceof Float32Array) return { samples: audio, sampleRate }
  if (audio instanceof URL) {
    if (audio.protocol === 'file:') return { path: fileURLToPath(audio) }
    throw new SpeechError(`The URL begins with ${audio.protocol}, wanted file:.`, 'Download the file first.')
  }
  if (typeof audio === 'string') return { path: audio }
  if (Number.isInteger(audio?.fd) && audio.fd >= 0 && typeof audio.name === 'string') return audio
  throw new SpeechError(
    `The audio is ${describe(audio)}, wanted a path, a file URL, a Float32Array or { fd, name }.`,
  )
}

function describe(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value)
  return `an object (${value.constructor?.name ?? 'without a class'})`
}
