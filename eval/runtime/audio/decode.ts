// SPDX-License-Identifier: Apache-2.0

import { SpeechError } from '../speech-error.ts'
import { type Decoded, UnreadableError } from './audio-block.ts'
import { type AudioFile, HEAD } from './audio-source.ts'
import type { ByteReader } from './byte-reader.ts'
import { hasFreeFrames, hasMpegFrames, tagLength } from './mpeg-frames.ts'
import { decodeRaw } from './raw.ts'
import { decodeWav } from './wav.ts'
import { isWav } from './wav-header.ts'

/** To find MPEG frames. */
const FRAMES_AHEAD = 1 << 16

/** In hexadecimal: ftyp (MP4, QuickTime), AIFF, CAF, AU, Matroska, ASF, AMR, Wave64. No samples begin so by chance. */
const FOR_FFMPEG =
  /^(.{8}66747970|464f524d.{8}414946|63616666|2e736e64|1a45dfa3|3026b275|2321414d52|72696666)/
/** Formats with a header in plain text. */
const TEXT_HEADER = /^NIST_1A/
/** Also scripts and playlists, with which ffmpeg would open other files. */
const TEXT = /^(ffconcat|#EXTM3U|[\t\n\r\x20-\x7e]+$)/

/*
 * Decoders are imported when they are needed: their libraries, WebAssembly among them, take a quarter of a second.
 */

/**
 * Decode audio. Its first bytes decide about the format, not its name. What no decoder here reads is given to ffmpeg.
 * @param notes gets sentences about what is odd
 * @throws SpeechError when it is empty, damaged or of no known kind, here or with the blocks
 */
export async function decodeAudio(file: AudioFile, notes: string[], signal?: AbortSignal): Promise<Decoded> {
  try {
    return await begun(await decodeHere(file, notes))
  } catch (error) {
    if (!(error instanceof UnreadableError)) throw error
    const { path, head } = await file.onDisk()
    const { decodeWithFfmpeg } = await import('./ffmpeg.ts')
    return begun(await decodeWithFfmpeg({ path, head, refusal: error, notes }, signal))
  }
}

async function decodeHere(file: AudioFile, notes: string[]): Promise<Decoded> {
  const { reader, rawRate } = file
  const head = await skipTags(reader)
  if (head.length === 0) throw new UnreadableError('The file holds no audio')
  const text = head.toString('latin1')
  if (isWav(head)) return decodeWav(reader, notes)
  if (text.startsWith('fLaC')) return (await import('./flac.ts')).decodeFlac(reader)
  if (text.startsWith('OggS')) return (await import('./ogg.ts')).decodeOgg(reader, notes)
  const isRaw = rawRate !== undefined && reader.position === 0 && !FOR_FFMPEG.test(head.toString('hex'))
  if (isRaw) return decodeRaw(reader, rawRate)
  if (TEXT.test(text) && !TEXT_HEADER.test(text)) {
    throw new SpeechError(`The file holds text (${JSON.stringify(text.slice(0, 16))}), wanted audio.`)
  }
  if (await isMpeg(reader)) return (await import('./mpeg.ts')).decodeMpeg(reader, notes)
  throw new UnreadableError(
    `The file begins with ${JSON.stringify(text.slice(0, 4))}`,
    ', wanted FLAC, WAV, MP3, Ogg Opus or Ogg Vorbis',
  )
}

/** Some writers put an ID3v2 tag before FLAC, AAC and WAV too. */
async function skipTags(reader: ByteReader): Promise<Buffer> {
  for (;;) {
    const head = await reader.peek(HEAD)
    const length = head.toString('latin1', 0, 3) === 'ID3' ? tagLength(head) : 0
    if (length === 0) return head
    await reader.skip(length)
  }
}

/** Several headers in their places: samples without a header may begin as a frame does. Behind a tag zeros may come first. */
async function isMpeg(reader: ByteReader): Promise<boolean> {
  const bytes = await reader.peek(FRAMES_AHEAD)
  const start = reader.position === 0 ? 0 : bytes.findIndex((byte) => byte !== 0)
  return start >= 0 && (hasMpegFrames(bytes, start) || hasFreeFrames(bytes, start))
}

/** With the first block, so that a refusal comes before anything is reported of the file. */
async function begun({ blocks, isFloat }: Decoded): Promise<Decoded> {
  const first = await blocks.next()
  async function* all() {
    try {
      if (first.done) return
      yield first.value
      yield* blocks
    } finally {
      await blocks.return(undefined)
    }
  }
  return { isFloat, blocks: all() }
}
