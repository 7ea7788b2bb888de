// SPDX-License-Identifier: Apache-2.0

import { OggVorbisDecoder } from '@wasm-audio-decoders/ogg-vorbis'
import { quietly } from '../quietly.ts'
import type { AudioBlock } from './audio-block.ts'
import type { OggStream } from './ogg.ts'
import type { OggPage } from './ogg-pages.ts'

/* libvorbis as WebAssembly, MIT licensed. */

const LAST_PAGE = 4

/** Decode the Vorbis stream of an Ogg file (Vorbis I specification, appendix A). */
export async function startVorbis(): Promise<OggStream> {
  const decoder = new OggVorbisDecoder()
  await decoder.ready
  let [decoded, granule, isLast] = [0, undefined as number | undefined, false]
  let origin: number | undefined

  /** The decoder gives a page when it has seen the next one, so that `granule` is still that of the page it gives. */
  async function decode(page: OggPage): Promise<AudioBlock | undefined> {
    // Its own cut at the last page fails when more is to be cut than that page holds.
    const bytes = Uint8Array.from(page.bytes)
    bytes[5] = page.bytes.readUInt8(5) & ~LAST_PAGE
    const found = await quietly(() => decoder.decode(bytes))
    decoded += found.samplesDecoded
    // A stream that was cut out of a longer one does not begin at 0.
    if (found.samplesDecoded > 0) origin ??= Math.max(0, (granule ?? decoded) - decoded)
    granule = page.granule ?? granule
    isLast = page.isLast
    return found.samplesDecoded > 0 ? block(found) : undefined
  }

  async function end(): Promise<AudioBlock | undefined> {
    const found = await quietly(() => decoder.flush())
    if (found.samplesDecoded === 0) return undefined
    decoded += found.samplesDecoded
    const surplus = isLast && granule !== undefined ? decoded - (granule - (origin ?? 0)) : 0
    return block(found, Math.max(0, found.samplesDecoded - Math.max(0, surplus)))
  }

  return { decode, end, free: () => decoder.free() }
}

interface Found {
  readonly channelData: Float32Array[]
  readonly sampleRate: number
}

function block({ channelData, sampleRate }: Found, length?: number): AudioBlock {
  return { sampleRate, channels: channelData.map((samples) => samples.subarray(0, length)) }
}
