import { SpeechError } from '../speech-error.ts'

/** Samples as they are in a file: one array for each channel, full scale is 1. */
export interface DecodedAudio {
  readonly sampleRate: number
  readonly channels: readonly Float32Array[]
}

const PCM = 1
const FLOAT = 3
const EXTENSIBLE = 0xfffe
/** What writers to a pipe put for a size they do not know: ffmpeg and sox, espeak-ng. */
const STREAMED = new Set([0xffffffff, 0x7ffff000, 0x7fffffff])

interface Format {
  readonly tag: number
  readonly channels: number
  readonly sampleRate: number
  readonly bits: number
}

/**
 * Decode a RIFF/WAVE file: PCM of 8, 16, 24 or 32 bits, 32- and 64-bit float, WAVE_FORMAT_EXTENSIBLE.
 * Integers are divided by 2^(bits-1), as soundfile and torchaudio do.
 * @throws SpeechError for other encodings and for damaged headers
 */
export function decodeWav(bytes: Uint8Array): DecodedAudio {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let format: Format | undefined
  for (const chunk of riffChunks(view)) {
    if (chunk.id === 'fmt ') format = readFormat(view, chunk.start, chunk.end)
    if (chunk.id !== 'data') continue
    if (format === undefined) throw new SpeechError('The WAV file has its data before its format.')
    return deinterleave(view, chunk.start, chunk.end, format)
  }
  throw new SpeechError(`The WAV file has no ${format ? 'data' : 'fmt'} chunk.`)
}

function* riffChunks(view: DataView): Generator<{ id: string; start: number; end: number }> {
  for (let at = 12; at + 8 <= view.byteLength; ) {
    const id = fourCharacters(view, at)
    const start = at + 8
    const size = view.getUint32(at + 4, true)
    const end = Math.min(view.byteLength, start + size)
    if (id === 'data' && start + size > view.byteLength && !STREAMED.has(size)) {
      throw new SpeechError(
        `The WAV file announces ${size} bytes of samples and holds ${end - start}: it is truncated.`,
        'Get the file again.',
      )
    }
    yield { id, start, end }
    at = end + ((end - start) % 2)
  }
}

function fourCharacters(view: DataView, at: number): string {
  return String.fromCharCode(...new Uint8Array(view.buffer, view.byteOffset + at, 4))
}

function readFormat(view: DataView, start: number, end: number): Format {
  if (end - start < 16)
    throw new SpeechError(`The WAV format chunk has ${end - start} bytes, wanted at least 16.`)
  const tag = view.getUint16(start, true)
  const format = {
    tag: tag === EXTENSIBLE && end - start >= 26 ? view.getUint16(start + 24, true) : tag,
    channels: view.getUint16(start + 2, true),
    sampleRate: view.getUint32(start + 4, true),
    bits: view.getUint16(start + 14, true),
  }
  const known = format.tag === PCM ? [8, 16, 24, 32] : format.tag === FLOAT ? [32, 64] : []
  if (!known.includes(format.bits) || format.channels === 0 || format.sampleRate === 0) {
    throw new SpeechError(
      `The WAV file has format ${format.tag}, ${format.bits} bits, ${format.channels} channels at ` +
        `${format.sampleRate} Hz; wanted PCM (8 to 32 bits) or float.`,
      'Convert it: ffmpeg -i IN -ar 16000 -ac 1 OUT.wav',
    )
  }
  return format
}

function deinterleave(view: DataView, start: number, end: number, format: Format): DecodedAudio {
  const width = format.bits / 8
  const frames = Math.floor((end - start) / (width * format.channels))
  const read = sampleReader(view, format)
  const channels = Array.from({ length: format.channels }, () => new Float32Array(frames))
  channels.forEach((samples, channel) => {
    for (let frame = 0; frame < frames; frame++) {
      samples[frame] = read(start + (frame * format.channels + channel) * width)
    }
  })
  return { sampleRate: format.sampleRate, channels }
}

function sampleReader(view: DataView, format: Format): (at: number) => number {
  if (format.tag === FLOAT) {
    return format.bits === 32 ? (at) => view.getFloat32(at, true) : (at) => view.getFloat64(at, true)
  }
  switch (format.bits) {
    case 8:
      return (at) => (view.getUint8(at) - 128) / 128
    case 16:
      return (at) => view.getInt16(at, true) / 32768
    case 24:
      return (at) => ((view.getInt8(at + 2) << 16) | view.getUint16(at, true)) / 8388608
    default:
      return (at) => view.getInt32(at, true) / 2147483648
  }
}

/** 16 kHz mono samples as a WAV file of 16-bit PCM. */
export function encodeWav(samples: Float32Array, sampleRate = 16000): Uint8Array {
  const out = Buffer.alloc(44 + 2 * samples.length)
  out.write('RIFF', 0, 'latin1')
  out.writeUInt32LE(out.length - 8, 4)
  out.write('WAVEfmt ', 8, 'latin1')
  out.writeUInt32LE(16, 16)
  out.writeUInt16LE(PCM, 20)
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
