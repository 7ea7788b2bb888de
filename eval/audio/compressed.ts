import { OggVorbisDecoder } from '@wasm-audio-decoders/ogg-vorbis'
import { MPEGDecoder } from 'mpg123-decoder'
import { OggOpusDecoder } from 'ogg-opus-decoder'
import { SpeechError } from '../speech-error.ts'
import type { DecodedAudio } from './wav.ts'

/* libmpg123, libopus and libvorbis as WebAssembly, MIT licensed, each over a million downloads a month. */

interface Decoded {
  readonly channelData: readonly Float32Array[]
  readonly sampleRate: number
  readonly errors: readonly { readonly message: string }[]
}

/**
 * Decode MPEG audio layer I to III, the encoder's delay and padding removed (LAME header).
 * @throws SpeechError when frames are damaged or there are none
 */
export async function decodeMpeg(bytes: Uint8Array): Promise<DecodedAudio> {
  const decoder = new MPEGDecoder()
  return whole('MP3', decoder, async () => decoder.decode(bytes))
}

/**
 * Decode Opus in Ogg (RFC 7845), at 48 kHz.
 * @throws SpeechError when packets are damaged or there are none
 */
export async function decodeOpus(bytes: Uint8Array): Promise<DecodedAudio> {
  const decoder = new OggOpusDecoder()
  return whole('Ogg Opus', decoder, () => decoder.decodeFile(bytes))
}

/**
 * Decode Vorbis in Ogg.
 * @throws SpeechError when packets are damaged or there are none
 */
export async function decodeVorbis(bytes: Uint8Array): Promise<DecodedAudio> {
  const decoder = new OggVorbisDecoder()
  return whole('Ogg Vorbis', decoder, () => decoder.decodeFile(bytes))
}

async function whole(
  format: string,
  decoder: { readonly ready: Promise<void>; free(): void },
  decode: () => Promise<Decoded>,
): Promise<DecodedAudio> {
  await decoder.ready
  try {
    const { channelData, sampleRate, errors } = await decode()
    const samples = channelData[0]?.length ?? 0
    const problem = errors[0]?.message ?? (samples === 0 ? 'no samples' : undefined)
    if (problem === undefined) return { sampleRate, channels: channelData }
    throw new SpeechError(
      `The ${format} file is damaged (${problem.trim()}); ${samples} samples could be read.`,
    )
  } finally {
    decoder.free()
  }
}
