import { SpeechError } from '../speech-error.ts'
import { decodeMpeg, decodeOpus, decodeVorbis } from './compressed.ts'
import { decodeWithFfmpeg } from './ffmpeg.ts'
import { decodeFlac } from './flac.ts'
import { type DecodedAudio, decodeWav } from './wav.ts'

/**
 * Decode an audio file, told by its first bytes, not its name.
 * @throws SpeechError when it is empty, damaged, truncated or of no known kind
 */
export async function decodeAudio(bytes: Uint8Array, signal?: AbortSignal): Promise<DecodedAudio> {
  if (bytes.length === 0) throw new SpeechError('The file is empty (0 bytes).')
  const head = Buffer.from(bytes.subarray(0, 64)).toString('latin1')
  if (head.startsWith('fLaC')) return decodeFlac(bytes)
  if (head.startsWith('RIFF') && head.slice(8, 12) === 'WAVE') return decodeWav(bytes)
  if (head.startsWith('ID3')) return decodeTagged(bytes)
  if (isMpegFrame(bytes)) return decodeMpeg(bytes)
  if (head.startsWith('OggS') && head.includes('OpusHead')) return decodeOpus(bytes)
  if (head.startsWith('OggS') && head.includes('\x01vorbis')) return decodeVorbis(bytes)
  return decodeWithFfmpeg(bytes, JSON.stringify(head.slice(0, 4)), signal)
}

/** Some writers put an ID3v2 tag before FLAC too. Its size has seven bits a byte (https://id3.org/id3v2.4.0-structure). */
async function decodeTagged(bytes: Uint8Array): Promise<DecodedAudio> {
  const size = [6, 7, 8, 9].reduce((sum, i) => sum * 128 + ((bytes[i] ?? 0) & 127), 0)
  const inside = bytes.subarray(10 + size)
  return Buffer.from(inside.subarray(0, 4)).toString('latin1') === 'fLaC'
    ? decodeFlac(inside)
    : decodeMpeg(bytes)
}

/** Eleven sync bits, then a layer: 00 there is AAC in ADTS (ISO/IEC 11172-3 section 2.4.2.3). */
function isMpegFrame([first = 0, second = 0]: Uint8Array): boolean {
  return first === 0xff && (second & 0xe0) === 0xe0 && (second & 0x06) !== 0
}
