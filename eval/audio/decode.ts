import { SpeechError } from '../speech-error.ts'
import { decodeMpeg, decodeOpus, decodeVorbis } from './compressed.ts'
import { decodeWithFfmpeg } from './ffmpeg.ts'
import { decodeFlac } from './flac.ts'
import { type DecodedAudio, decodeWav } from './wav.ts'

/**
 * Decode an audio file, told by its first bytes, not its name.
 * @throws SpeechError when it is empty, damaged, truncated or of no known kind
 */
export async function decodeAudio(bytes: Uint8Array): Promise<DecodedAudio> {
  if (bytes.length === 0) throw new SpeechError('The file is empty (0 bytes).')
  const head = Buffer.from(bytes.subarray(0, 64)).toString('latin1')
  if (head.startsWith('fLaC')) return decodeFlac(bytes)
  if (head.startsWith('RIFF') && head.slice(8, 12) === 'WAVE') return decodeWav(bytes)
  if (head.startsWith('ID3') || isMpegFrame(bytes)) return decodeMpeg(bytes)
  if (head.startsWith('OggS') && head.includes('OpusHead')) return decodeOpus(bytes)
  if (head.startsWith('OggS') && head.includes('\x01vorbis')) return decodeVorbis(bytes)
  return decodeWithFfmpeg(bytes, JSON.stringify(head.slice(0, 4)))
}

/** Eleven sync bits, then a layer: 00 there is AAC in ADTS (ISO/IEC 11172-3 section 2.4.2.3). */
function isMpegFrame([first = 0, second = 0]: Uint8Array): boolean {
  return first === 0xff && (second & 0xe0) === 0xe0 && (second & 0x06) !== 0
}
