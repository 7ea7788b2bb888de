import { createRequire } from 'node:module'
import { SpeechError } from '../speech-error.ts'
import type { DecodedAudio } from './wav.ts'

// libFLAC itself; @wasm-audio-decoders/flac finds frames on its own and loses the last one of some files.
// The asm.js build, since the wasm one fetches its binary by URL, which Node cannot.
const flac = createRequire(import.meta.url)('libflacjs/dist/libflac.js') as LibFlac

/** The part of libflacjs that decoding uses (https://mmig.github.io/libflac.js/doc/). */
interface LibFlac {
  isReady(): boolean
  on(event: 'ready', listener: () => void): void
  create_libflac_decoder(verifyMd5: boolean): number
  init_decoder_stream(
    decoder: number,
    read: (bytes: number) => { buffer: Uint8Array; readDataLength: number; error: boolean },
    write: (channels: readonly Uint8Array[], block: { blocksize: number }) => void,
    error: (code: number, description: string) => void,
    metadata: (info: StreamInfo | undefined) => void,
  ): number
  FLAC__stream_decoder_process_until_end_of_stream(decoder: number): number
  FLAC__stream_decoder_finish(decoder: number): number
  FLAC__stream_decoder_delete(decoder: number): void
}

interface StreamInfo {
  readonly sampleRate: number
  readonly channels: number
  readonly bitsPerSample: number
  /** 0 when the encoder did not know it */
  readonly total_samples: number
}

/**
 * Decode a FLAC file and prove it: every frame's CRC, the sample count and the MD5 of its STREAMINFO
 * (RFC 9639 section 8.2).
 * @throws SpeechError when the file is truncated or damaged
 */
export async function decodeFlac(bytes: Uint8Array): Promise<DecodedAudio> {
  if (!flac.isReady()) await new Promise<void>((resolve) => flac.on('ready', resolve))
  const { info, blocks, problems, isWhole } = runDecoder(bytes)
  const samples = blocks.reduce((sum, block) => sum + (block[0]?.length ?? 0), 0)
  if (!info) throw new SpeechError('The FLAC file has no stream information.', 'Get the file again.')
  if (!isWhole || problems.length > 0 || (info.total_samples !== 0 && samples !== info.total_samples)) {
    const reason = problems[0] ?? 'end or checksum missing'
    throw new SpeechError(
      `The FLAC file is truncated or damaged: it announces ${info.total_samples} samples, ${samples} could be read (${reason}).`,
      'Get the file again.',
    )
  }
  const channels = Array.from({ length: info.channels }, (_, channel) => joined(blocks, channel, samples))
  return { sampleRate: info.sampleRate, channels }
}

function runDecoder(bytes: Uint8Array) {
  const decoder = flac.create_libflac_decoder(true)
  const blocks: Float32Array[][] = []
  const problems: string[] = []
  let info: StreamInfo | undefined
  let position = 0
  const read = (wanted: number) => {
    const buffer = bytes.subarray(position, position + wanted)
    position += buffer.length
    return { buffer, readDataLength: buffer.length, error: false }
  }
  try {
    const status = flac.init_decoder_stream(
      decoder,
      read,
      (channels, { blocksize }) =>
        blocks.push(channels.map((channel) => toFloat(channel, blocksize, info?.bitsPerSample ?? 16))),
      (_code, description) => problems.push(description),
      (found) => {
        info ??= found
      },
    )
    const processed = status === 0 && flac.FLAC__stream_decoder_process_until_end_of_stream(decoder) === 1
    const isWhole = flac.FLAC__stream_decoder_finish(decoder) === 1 && processed
    return { info, blocks, problems, isWhole }
  } finally {
    flac.FLAC__stream_decoder_delete(decoder)
  }
}

/** Little-endian signed samples, padded to whole bytes, to full scale 1. */
function toFloat(bytes: Uint8Array, samples: number, bits: number): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const width = bytes.length / samples
  const scale = 2 ** (bits - 1)
  const read = [
    (i: number) => view.getInt8(i),
    (i: number) => view.getInt16(2 * i, true),
    (i: number) => (view.getInt8(3 * i + 2) << 16) | view.getUint16(3 * i, true),
    (i: number) => view.getInt32(4 * i, true),
  ][width - 1]
  if (!read) throw new SpeechError(`FLAC with ${bits} bits a sample cannot be read.`)
  return Float32Array.from({ length: samples }, (_, i) => read(i) / scale)
}

function joined(
  blocks: readonly (readonly Float32Array[])[],
  channel: number,
  samples: number,
): Float32Array {
  const out = new Float32Array(samples)
  let position = 0
  for (const block of blocks) {
    const part = block[channel]
    if (part) out.set(part, position)
    position += part?.length ?? 0
  }
  return out
}
