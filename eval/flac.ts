import { createHash } from 'node:crypto'
import { FLACDecoder } from '@wasm-audio-decoders/flac'
import { EvalError } from './eval-error.ts'
import type { DecodedAudio } from './wav.ts'

interface StreamInfo {
  readonly bits: number
  readonly totalSamples: number
  readonly md5: string
}

const NO_MD5 = '0'.repeat(32)

/**
 * Decode a FLAC file and prove it against its own STREAMINFO (RFC 9639 section 8.2): the decoder itself drops
 * damaged frames without a word.
 * @throws EvalError when the sample count or the MD5 of the samples differs
 */
export async function decodeFlac(bytes: Uint8Array): Promise<DecodedAudio> {
  const info = readStreamInfo(bytes)
  const decoder = new FLACDecoder()
  await decoder.ready
  try {
    const decoded = await decoder.decodeFile(bytes)
    const integers = decoded.channelData.map((samples) => toIntegers(samples, info.bits))
    check(info, integers)
    const scale = 2 ** (info.bits - 1)
    return {
      sampleRate: decoded.sampleRate,
      channels: integers.map((samples) => Float32Array.from(samples, (sample) => sample / scale)),
    }
  } finally {
    decoder.free()
  }
}

function readStreamInfo(bytes: Uint8Array): StreamInfo {
  if (bytes.length < 42)
    throw new EvalError(`The FLAC file has ${bytes.length} bytes and no stream information.`)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const packed = view.getBigUint64(18)
  return {
    bits: Number((packed >> 36n) & 31n) + 1,
    totalSamples: Number(packed & 0xfffffffffn),
    md5: Buffer.from(bytes.subarray(26, 42)).toString('hex'),
  }
}

/** The decoder divides by 2^(bits-1) - 1; this restores the stored integers exactly. */
function toIntegers(samples: Float32Array, bits: number): Int32Array {
  const scale = 2 ** (bits - 1) - 1
  return Int32Array.from(samples, (sample) => Math.round(sample * scale))
}

function check(info: StreamInfo, channels: readonly Int32Array[]): void {
  const samples = channels[0]?.length ?? 0
  if (info.totalSamples !== 0 && samples !== info.totalSamples) {
    throw new EvalError(
      `The FLAC file announces ${info.totalSamples} samples and holds ${samples}: it is truncated or damaged.`,
      'Get the file again.',
    )
  }
  if (info.md5 !== NO_MD5 && info.bits <= 16 && md5Of(channels, info.bits) !== info.md5) {
    throw new EvalError(
      'The FLAC samples do not match the MD5 in the file: it is damaged.',
      'Get the file again.',
    )
  }
}

/** MD5 of the interleaved little-endian samples, as the encoder computed it. */
function md5Of(channels: readonly Int32Array[], bits: number): string {
  const width = Math.ceil(bits / 8)
  const frames = channels[0]?.length ?? 0
  const out = Buffer.alloc(frames * channels.length * width)
  channels.forEach((samples, channel) => {
    for (let frame = 0; frame < frames; frame++) {
      out.writeIntLE(samples[frame] ?? 0, (frame * channels.length + channel) * width, width)
    }
  })
  return createHash('md5').update(out).digest('hex')
}
