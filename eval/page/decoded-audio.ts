// SPDX-License-Identifier: Apache-2.0

import { SpeechError } from '../runtime/speech-error.ts'
import type { Recorded } from './microphone.ts'

const RATE = 16_000
/** The browser decodes a file as a whole. */
const MOST_BYTES = 1 << 30

/**
 * Decode a file with the browser's own decoders, for formats that the runtime leaves to others: M4A, AAC, WebM.
 * @throws SpeechError when the browser does not read it either
 */
export async function decodedByBrowser(file: Blob & { readonly name: string }): Promise<Recorded> {
  if (file.size > MOST_BYTES)
    throw new SpeechError(
      `${file.name} has ${file.size} bytes, wanted at most ${MOST_BYTES} of a format that the browser decodes.`,
      'Convert it to WAV, FLAC or MP3, which are read part by part.',
    )
  // a context of this rate resamples
  const context = new OfflineAudioContext(1, 1, RATE)
  try {
    return mixed(await context.decodeAudioData(await file.arrayBuffer()))
  } catch {
    throw new SpeechError(
      `${file.name} is in no format that this browser or this page reads.`,
      'Convert it to WAV, FLAC, MP3 or Ogg first.',
    )
  }
}

function mixed(audio: AudioBuffer): Recorded {
  const samples = new Float32Array(audio.length)
  for (let channel = 0; channel < audio.numberOfChannels; channel++) {
    const data = audio.getChannelData(channel)
    for (let i = 0; i < data.length; i++)
      samples[i] = (samples[i] ?? 0) + (data[i] ?? 0) / audio.numberOfChannels
  }
  return { samples, sampleRate: audio.sampleRate }
}
