// SPDX-License-Identifier: Apache-2.0

import { OpusDecoder } from 'opus-decoder'
import { quietly } from '../quietly.ts'
import { SpeechError } from '../speech-error.ts'
import { type AudioBlock, UnreadableError } from './audio-block.ts'
import type { OggStream } from './ogg.ts'
import type { OggPage } from './ogg-pages.ts'

/* libopus as WebAssembly, MIT licensed, over a million downloads a month. */

const SAMPLE_RATE = 48000

/** What an Opus stream begins with (RFC 7845 section 5.1). */
interface OpusHead {
  readonly channels: number
  readonly preSkip: number
  /** a factor */
  readonly gain: number
  readonly streamCount: number
  readonly coupledStreamCount: number
  readonly channelMappingTable: number[]
}

/**
 * Decode the Opus stream of an Ogg file (RFC 7845) at 48 kHz: what the encoder put in front and behind is left out,
 * the output gain applied.
 * @param head body of its first page
 * @throws SpeechError when its head is not right; `decode` throws one for a damaged page
 */
export async function startOpus(head: Buffer): Promise<OggStream> {
  const { preSkip, gain, ...channels } = readHead(head)
  const decoder = new OpusDecoder({ ...channels, preSkip: 0, sampleRate: SAMPLE_RATE, forceStereo: false })
  await decoder.ready
  const packets = packetAssembler()
  let [headers, decoded, given, origin] = [0, 0, 0, undefined as number | undefined]

  function decode(page: OggPage): AudioBlock | undefined {
    const sound = packets(page).filter(() => ++headers > 2) // OpusHead and OpusTags are packets too
    if (sound.length === 0) return undefined
    const found = quietly(() => decoder.decodeFrames(sound))
    const [error] = found.errors
    if (error)
      throw new SpeechError(`The Ogg Opus file is damaged (${error.message}).`, 'Get the file again.')
    const before = decoded
    decoded += found.samplesDecoded
    // A stream that was cut out of a longer one does not begin at 0 (section 4.3).
    origin ??= page.isLast || page.granule === undefined ? undefined : Math.max(0, page.granule - decoded)
    const end = page.isLast && page.granule !== undefined ? page.granule - (origin ?? 0) : decoded
    const [from, to] = [Math.max(before, preSkip), Math.min(decoded, Math.max(end, given))]
    given = to
    const channels = found.channelData.map((samples) =>
      amplified(samples.subarray(Math.max(0, from - before), Math.max(0, to - before)), gain),
    )
    return { sampleRate: SAMPLE_RATE, channels }
  }

  return {
    decode: async (page) => decode(page),
    end: async () => undefined,
    free: () => decoder.free(),
  }
}

function amplified(samples: Float32Array, gain: number): Float32Array {
  return gain === 1 ? samples : samples.map((sample) => sample * gain)
}

function readHead(head: Buffer): OpusHead {
  const channels = head[9] ?? 0
  const family = head[18] ?? 0
  const isKnown = head.length >= 19 && (head[8] as number) < 16
  const isMapped = family === 1 || family === 255
  if (!isKnown || channels === 0 || (isMapped ? head.length < 21 + channels : family !== 0 || channels > 2)) {
    throw new UnreadableError(`The Ogg Opus file has ${channels} channels with mapping family ${family}`)
  }
  return {
    channels,
    preSkip: head.readUInt16LE(10),
    gain: 10 ** (head.readInt16LE(16) / 256 / 20),
    streamCount: isMapped ? (head[19] as number) : 1,
    coupledStreamCount: isMapped ? (head[20] as number) : channels - 1,
    channelMappingTable: isMapped ? [...head.subarray(21, 21 + channels)] : channels === 2 ? [0, 1] : [0],
  }
}

/** Packets of pages: parts of 255 bytes are continued, over the end of a page too. */
function packetAssembler(): (page: OggPage) => Buffer[] {
  let open: Buffer[] = []
  let isOpen = false
  return ({ lacing, body, isContinued }) => {
    const packets: Buffer[] = []
    let at = 0
    // The rest of a packet whose start is missing.
    let isOrphan = isContinued && !isOpen
    if (!isContinued) open = []
    for (const size of lacing) {
      open.push(body.subarray(at, at + size))
      at += size
      isOpen = size === 255
      if (isOpen) continue
      if (!isOrphan) packets.push(Buffer.concat(open))
      isOrphan = false
      open = []
    }
    return packets
  }
}
