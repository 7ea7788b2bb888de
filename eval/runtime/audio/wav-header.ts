// SPDX-License-Identifier: Apache-2.0

import { UnreadableError } from './audio-block.ts'
import type { ByteReader } from './byte-reader.ts'

/** Codecs of a WAV file (RFC 2361). */
export const WAV_TAG = { pcm: 1, float: 3, aLaw: 6, muLaw: 7, extensible: 0xfffe } as const
const LONGEST_FORMAT = 4096
const NO_SIZE = 0xffffffff

/** The fmt chunk of a WAV file: `tag` is one of {@link WAV_TAG}, `sampleRate` in samples a second. */
export interface WavFormat {
  readonly tag: number
  readonly channels: number
  readonly sampleRate: number
  readonly bits: number
  /** bytes of one sample of all channels */
  readonly blockAlign: number
}

/** What stands before the samples of a WAV file. */
export interface WavHeader {
  readonly format: WavFormat
  /** of the data chunk, in bytes; undefined where the file leaves it open */
  readonly announced: number | undefined
  /** sizes have 32 bits, so that longer files have a wrong one */
  readonly isNarrow: boolean
  /** RIFX: numbers and samples have their upper byte first */
  readonly isBigEndian: boolean
}

/** RIFF, RIFX, and the forms with sizes of 64 bits (EBU Tech 3306, ITU-R BS.2088). */
export function isWav(head: Uint8Array): boolean {
  const text = Buffer.from(head.subarray(0, 12)).toString('latin1')
  return /^(RIFF|RIFX|RF64|BW64)$/.test(text.slice(0, 4)) && text.endsWith('WAVE')
}

/**
 * Read a WAV header up to the first sample.
 * @throws UnreadableError when there is no format or no data
 */
export async function readWavHeader(reader: ByteReader): Promise<WavHeader> {
  const form = (await reader.take(12)).toString('latin1', 0, 4)
  const isBigEndian = form === 'RIFX'
  const isNarrow = isBigEndian || form === 'RIFF'
  let format: WavFormat | undefined
  let wide: number | undefined
  for (;;) {
    const head = await reader.take(8)
    if (head.length < 8) throw new UnreadableError(`The WAV file has no ${format ? 'data' : 'fmt'} chunk`)
    const id = head.toString('latin1', 0, 4)
    const size = chunkSize(head, isBigEndian)
    if (id === 'data') {
      if (format === undefined) throw new UnreadableError('The WAV file has its data before its format')
      return { format, isNarrow, isBigEndian, announced: announcedSize(size, isNarrow ? undefined : wide) }
    }
    const body =
      id === 'fmt ' || id === 'ds64' ? await reader.take(Math.min(size, LONGEST_FORMAT)) : undefined
    if (id === 'fmt ' && body) format = readFormat(body, isBigEndian)
    if (id === 'ds64' && body && body.length >= 16) wide = Number(body.readBigUInt64LE(8))
    await reader.skip(size - (body?.length ?? 0))
    if (size % 2 === 1) await skipPadding(reader)
  }
}

/** A chunk of an odd size has a zero byte behind it, which some writers forget. */
export async function skipPadding(reader: ByteReader): Promise<void> {
  const next = await reader.peek(4)
  if (next[0] === 0 || !isChunkId(next)) await reader.skip(1)
}

/** Bytes of the chunk whose first eight are given. */
export function chunkSize(head: Buffer, isBigEndian: boolean): number {
  return isBigEndian ? head.readUInt32BE(4) : head.readUInt32LE(4)
}

/** Four printable characters. */
export function isChunkId(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && bytes.subarray(0, 4).every((byte) => byte >= 0x20 && byte < 0x7f)
}

/**
 * What programs write that do not have the size yet, since they write to a pipe: 2^32 - 1 (ffmpeg), 2^31 (arecord), 0x7fff0000 (GStreamer),
 * 0x7ffff000 (sox, espeak-ng), the same less or more a header.
 */
function announcedSize(size: number, wide: number | undefined): number | undefined {
  if (wide !== undefined && size === NO_SIZE) return wide > 0 && wide < 2 ** 53 ? wide : undefined
  const isOpen = (size >= 0x7fff0000 && size <= 0x80001000) || size >= 0xffff0000
  return isOpen ? undefined : size
}

/** A WAVEFORMAT of 14 bytes does not have the bits of a sample: a sample fills its place then. */
function readFormat(body: Buffer, isBigEndian: boolean): WavFormat {
  if (body.length < 14) {
    throw new UnreadableError(`The WAV format chunk has ${body.length} bytes, wanted at least 14`)
  }
  const short = (at: number) => (isBigEndian ? body.readUInt16BE(at) : body.readUInt16LE(at))
  const [tag, channels, blockAlign] = [short(0), short(2), short(12)]
  return {
    tag: tag === WAV_TAG.extensible && body.length >= 26 ? short(24) : tag,
    channels,
    sampleRate: isBigEndian ? body.readUInt32BE(4) : body.readUInt32LE(4),
    blockAlign,
    bits: body.length >= 16 ? short(14) : Math.floor((8 * blockAlign) / Math.max(1, channels)),
  }
}
