// SPDX-License-Identifier: Apache-2.0

import { type AudioBlock, type Decoded, inSeconds } from './audio-block.ts'
import type { ByteReader } from './byte-reader.ts'
import { type PcmReader, pcmReader } from './pcm.ts'
import {
  chunkSize,
  isChunkId,
  isWav,
  readWavHeader,
  skipPadding,
  WAV_TAG,
  type WavHeader,
} from './wav-header.ts'

const CHUNK = 1 << 18

/**
 * Decode a RIFF, RIFX, RF64 or BW64 file: PCM of 8 to 32 bits, float, G.711, WAVE_FORMAT_EXTENSIBLE. Where the size of the
 * data is open or too large, all that follows is read.
 * @param notes gets a sentence when samples are missing
 * @throws UnreadableError for other codecs and for damaged headers
 */
export async function decodeWav(reader: ByteReader, notes: string[]): Promise<Decoded> {
  const header = await readWavHeader(reader)
  const pcm = pcmReader(header.format)
  return { isFloat: header.format.tag === WAV_TAG.float, blocks: samples(reader, header, pcm, notes) }
}

async function* samples(
  reader: ByteReader,
  header: WavHeader,
  { frameBytes, split }: PcmReader,
  notes: string[],
): AsyncGenerator<AudioBlock> {
  const { sampleRate } = header.format
  const start = reader.position
  const length = await dataLength(reader, header)
  const step = Math.max(1, Math.floor(CHUNK / frameBytes)) * frameBytes
  for (let left = length; ; left -= step) {
    const bytes = await reader.take(Math.min(step, left))
    const ordered = header.isBigEndian ? swapped(bytes, frameBytes / header.format.channels) : bytes
    if (bytes.length > 0 || left === length) yield { sampleRate, channels: split(ordered) }
    if (bytes.length < step) break
  }
  const found = reader.position - start
  if (found < length) noteMissing({ found, length, start, rate: sampleRate * frameBytes }, notes)
  else await noteRest(reader, header, { length, rate: sampleRate * frameBytes }, notes)
}

/** A copy with the bytes of each sample in the other order; the reader may give the original out again. */
function swapped(bytes: Buffer, width: number): Buffer {
  const copy = Buffer.from(bytes)
  for (let at = 0; at + width <= copy.length; at += width) copy.subarray(at, at + width).reverse()
  return copy
}

/** How many bytes to read; Infinity for all that follow. */
async function dataLength(
  reader: ByteReader,
  { announced, isNarrow, isBigEndian }: WavHeader,
): Promise<number> {
  const { remaining } = reader
  if (announced === undefined) return Number.POSITIVE_INFINITY
  if (announced === 0) {
    const head = await reader.peek(8)
    const isEmpty =
      isChunk(head) && chunkSize(head, isBigEndian) <= (remaining ?? Number.POSITIVE_INFINITY) - 8
    return isEmpty ? 0 : Number.POSITIVE_INFINITY
  }
  // A writer that has no RF64 leaves a long file's size modulo 2^32.
  if (isNarrow && remaining !== undefined && remaining - announced >= 2 ** 32) {
    return announced + 2 ** 32 * Math.floor((remaining - announced) / 2 ** 32)
  }
  return announced
}

function isChunk(head: Buffer): boolean {
  return isChunkId(head) && head.length >= 8
}

interface Lengths {
  readonly found: number
  readonly length: number
  /** where the samples begin, which some writers count in */
  readonly start: number
  /** bytes a second */
  readonly rate: number
}

function noteMissing({ found, length, start, rate }: Lengths, notes: string[]): void {
  if (length === Number.POSITIVE_INFINITY) return
  const missing = length - found
  notes.push(
    missing <= Math.max(start, rate / 100)
      ? `The WAV header announces ${missing} more bytes than follow; all that follow were read.`
      : `The WAV header announces ${inSeconds(length, rate)} and ${inSeconds(found, rate)} follow: the end is missing.`,
  )
}

/** Chunks that follow are usual, unless they hold more sound. Other bytes are samples that a size leaves out. */
async function noteRest(
  reader: ByteReader,
  { isBigEndian }: WavHeader,
  { length, rate }: Pick<Lengths, 'length' | 'rate'>,
  notes: string[],
): Promise<void> {
  if (length % 2 === 1) await skipPadding(reader)
  for (let head = await reader.peek(12); isChunk(head); head = await reader.peek(12)) {
    if (isWav(head) || head.toString('latin1', 0, 4) === 'data') {
      notes.push('More sound follows behind the first data chunk of the WAV file; it was not read.')
      return
    }
    const size = chunkSize(head, isBigEndian)
    await reader.skip(8 + size)
    if (size % 2 === 1) await skipPadding(reader)
  }
  const rest = await reader.peek(rate)
  if (rest.length < rate / 10 || rest.every((byte) => byte === 0)) return
  notes.push('The WAV header announces fewer bytes than follow; the rest was not read.')
}

/** 16 kHz mono samples as a WAV file of 16-bit PCM. */
export function encodeWav(samples: Float32Array, sampleRate = 16000): Uint8Array {
  const out = Buffer.alloc(44 + 2 * samples.length)
  out.write('RIFF', 0, 'latin1')
  out.writeUInt32LE(out.length - 8, 4)
  out.write('WAVEfmt ', 8, 'latin1')
  out.writeUInt32LE(16, 16)
  out.writeUInt16LE(WAV_TAG.pcm, 20)
  out.writeUInt16LE(1, 22)
  out.writeUInt32LE(sampleRate, 24)
  out.writeUInt32LE(2 * sampleRate, 28)
  out.writeUInt16LE(2, 32)
  out.writeUInt16LE(16, 34)
  out.write('data', 36, 'latin1')
  out.writeUInt32LE(2 * samples.length, 40)
  samples.forEach((sample, i) => {
    out.writeInt16LE(Math.max(-32768, Math.min(32767, Math.round(sample * 32768))), 44 + 2 * i)
  })
  return out
}
