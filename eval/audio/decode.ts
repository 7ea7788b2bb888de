import { type Decoded, UnreadableError } from './audio-block.ts'
import type { AudioFile } from './audio-file.ts'
import type { ByteReader } from './byte-reader.ts'
import { decodeWithFfmpeg } from './ffmpeg.ts'
import { decodeFlac } from './flac.ts'
import { decodeMpeg } from './mpeg.ts'
import { hasMpegFrames, readMpegHeader, tagLength } from './mpeg-frames.ts'
import { decodeOgg } from './ogg.ts'
import { decodeRaw } from './raw.ts'
import { decodeWav } from './wav.ts'
import { isWav } from './wav-header.ts'

/** Enough to know a format by, and to find MPEG frames behind a tag. */
const HEAD = 64
const FRAMES_BEHIND_TAG = 1 << 16

/**
 * Decode audio, told by its first bytes, not its name. What no decoder here reads is given to ffmpeg.
 * @param notes gets sentences about what is odd
 * @throws SpeechError when it is empty, damaged or of no known kind, here or with the blocks
 */
export async function decodeAudio(file: AudioFile, notes: string[], signal?: AbortSignal): Promise<Decoded> {
  try {
    return await begun(await decodeHere(file, notes))
  } catch (error) {
    if (!(error instanceof UnreadableError)) throw error
    const { path, head } = await file.onDisk()
    return begun(await decodeWithFfmpeg(path, head, error, signal))
  }
}

async function decodeHere(file: AudioFile, notes: string[]): Promise<Decoded> {
  const { reader, rawRate } = file
  const head = await skipTags(reader)
  if (head.length === 0) throw new UnreadableError('The file holds no audio')
  const text = head.toString('latin1')
  if (isWav(head)) return decodeWav(reader, notes)
  if (text.startsWith('fLaC')) return decodeFlac(reader)
  if (text.startsWith('OggS')) return decodeOgg(reader, notes)
  if (rawRate !== undefined && reader.position === 0) return decodeRaw(reader, rawRate)
  if (await isMpeg(reader, head)) return decodeMpeg(reader, notes)
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

/** A header at the first byte; behind a tag, where zeros may come first, several in their places. */
async function isMpeg(reader: ByteReader, head: Buffer): Promise<boolean> {
  if (reader.position === 0) return readMpegHeader(head) !== undefined
  const bytes = await reader.peek(FRAMES_BEHIND_TAG)
  const start = bytes.findIndex((byte) => byte !== 0)
  return start >= 0 && (hasMpegFrames(bytes, start) || readMpegHeader(bytes, start)?.length === 0)
}

/** With the first block, so that a refusal comes before anything is told of the file. */
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
