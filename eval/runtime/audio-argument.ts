// SPDX-License-Identifier: Apache-2.0

import type { AudioSource } from './audio/speech-stream.ts'
import type { AudioInput } from './opened-audio.ts'
import { pathOf } from './platform/file-paths.ts'
import { SpeechError } from './speech-error.ts'

/** What is transcribed: an audio file's path or `file:` URL, a blob, an open descriptor, or mono samples, full scale 1. */
export type Audio = string | URL | Blob | Float32Array | Extract<AudioSource, { readonly fd: number }>

/**
 * The input of a job from what a caller gives as audio.
 * @throws SpeechError for what is not audio, which programs without types may hand in
 */
export function inputOf(audio: Audio, sampleRate: number): AudioInput {
  if (audio instanceof Float32Array) return { samples: audio, sampleRate }
  if (audio instanceof URL) {
    if (audio.protocol === 'file:') return { path: pathOf(audio) }
    throw new SpeechError(`The URL begins with ${audio.protocol}, wanted file:.`, 'Download the file first.')
  }
  if (typeof audio === 'string') return { path: audio }
  if (audio instanceof Blob) return { blob: audio, name: nameOf(audio) }
  if (Number.isInteger(audio?.fd) && audio.fd >= 0 && typeof audio.name === 'string') return audio
  throw new SpeechError(
    `The audio is ${describe(audio)}, wanted a path, a file URL, a Blob, a Float32Array or { fd, name }.`,
  )
}

function describe(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value)
  return `an object (${value.constructor?.name ?? 'without a class'})`
}

/** A file that was picked has a name. */
function nameOf(blob: Blob): string {
  return 'name' in blob && typeof blob.name === 'string' ? blob.name : 'the recording'
}
