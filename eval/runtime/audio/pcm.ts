// SPDX-License-Identifier: Apache-2.0

import { UnreadableError } from './audio-block.ts'
import { A_LAW, MU_LAW } from './g711.ts'
import { WAV_TAG, type WavFormat } from './wav-header.ts'

/** How samples lie in a WAV file. */
export interface PcmReader {
  /** bytes of one sample of all channels */
  readonly frameBytes: number
  /** Whole frames to one array for each channel, full scale 1. */
  readonly split: (bytes: Buffer) => Float32Array[]
}

type Read = (view: DataView, at: number) => number

/**
 * How samples of PCM, float and G.711 are read. A sample takes `blockAlign / channels` bytes, and fewer bits stand at their
 * upper end. Integers are divided by 2^(bits-1), as soundfile and torchaudio do.
 * @throws UnreadableError for all other codecs
 */
export function pcmReader(format: WavFormat): PcmReader {
  const { channels, bits, blockAlign } = format
  const least = Math.ceil(bits / 8)
  const width = blockAlign >= least * channels ? blockAlign / channels : least
  const read = channels > 0 && format.sampleRate > 0 ? reader(format, width) : undefined
  if (read === undefined) {
    throw new UnreadableError(
      `The WAV file has format ${format.tag}, ${bits} bits, ${channels} channels at ${format.sampleRate} Hz, ` +
        `${blockAlign} bytes a sample`,
      '; wanted PCM (8 to 32 bits), float or G.711',
    )
  }
  const frameBytes = width * channels
  return { frameBytes, split: (bytes) => split(bytes, channels, width, read(bytes)) }
}

function split(bytes: Buffer, channels: number, width: number, read: Read): Float32Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const frames = Math.floor(bytes.length / (width * channels))
  return Array.from({ length: channels }, (_, channel) => {
    const samples = new Float32Array(frames)
    let at = channel * width
    for (let frame = 0; frame < frames; frame++) {
      samples[frame] = read(view, at)
      at += width * channels
    }
    return samples
  })
}

/** Chooses with the first bytes, since some writers put 24 bits at the lower end of four bytes. */
function reader({ tag, bits }: WavFormat, width: number): ((bytes: Buffer) => Read) | undefined {
  if (tag === WAV_TAG.float) {
    if (bits === 32 && width === 4) return () => (view, at) => view.getFloat32(at, true)
    if (bits === 64 && width === 8) return () => (view, at) => view.getFloat64(at, true)
    return undefined
  }
  if ((tag === WAV_TAG.aLaw || tag === WAV_TAG.muLaw) && bits === 8 && width === 1) {
    const values = tag === WAV_TAG.aLaw ? A_LAW : MU_LAW
    return () => (view, at) => values[view.getUint8(at)] as number
  }
  if (tag !== WAV_TAG.pcm || bits < 1 || bits > 32) return undefined
  return width === 4 && bits === 24 ? twentyFourInFour() : constant(INTEGERS[width])
}

const constant = (read: Read | undefined) => read && (() => read)

const INTEGERS: readonly (Read | undefined)[] = [
  undefined,
  (view, at) => (view.getUint8(at) - 128) / 128,
  (view, at) => view.getInt16(at, true) / 32768,
  (view, at) => ((view.getInt8(at + 2) << 16) | view.getUint16(at, true)) / 8388608,
  (view, at) => view.getInt32(at, true) / 2147483648,
]

function twentyFourInFour(): (bytes: Buffer) => Read {
  const upper = (view: DataView, at: number) => view.getInt32(at, true) / 2147483648
  const lower = (view: DataView, at: number) => (view.getInt32(at, true) << 8) / 2147483648
  let read: Read | undefined
  return (bytes) => {
    read ??= bytes.some((byte) => byte !== 0) ? (isAtLowerEnd(bytes) ? lower : upper) : undefined
    return read ?? upper
  }
}

/** The upper byte repeats the sign of the one below, always, and the lowest is used. */
function isAtLowerEnd(bytes: Buffer): boolean {
  let isLowestUsed = false
  for (let at = 0; at + 4 <= bytes.length; at += 4) {
    if (bytes[at + 3] !== ((bytes[at + 2] as number) & 0x80 ? 0xff : 0)) return false
    isLowestUsed ||= bytes[at] !== 0
  }
  return isLowestUsed
}
