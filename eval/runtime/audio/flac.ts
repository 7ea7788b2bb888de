// SPDX-License-Identifier: Apache-2.0

import { SpeechError } from '../speech-error.ts'
import { type AudioBlock, type Decoded, UnreadableError } from './audio-block.ts'
import type { ByteReader } from './byte-reader.ts'
import { type FrameHeader, flac, type StreamInfo } from './flac-library.ts'

/** Of libFLAC's states; those above are errors. */
const END_OF_STREAM = 4
/**
 * libFLAC reads bytes while it decodes, and cannot wait for them. One frame has at most 65535 samples of 8
 * channels with 33 bits, 2.2 MB.
 */
const LONGEST_FRAME = 9 << 18
const AHEAD = LONGEST_FRAME + (1 << 20)
/** What libFLAC may have read beyond the last frame. */
const BEHIND = 1 << 16
/** How many frames are decoded at once. */
const FRAMES = 32

/**
 * Decode a FLAC file and prove it: every frame's CRC, the sample count and the MD5 of its STREAMINFO
 * (RFC 9639 section 8.2). Files that were put one behind the other are read as one.
 * @throws SpeechError when the file is truncated or damaged
 */
export async function decodeFlac(reader: ByteReader): Promise<Decoded> {
  if (!flac.isReady()) await new Promise<void>((resolve) => flac.on('ready', resolve))
  return { isFloat: false, blocks: streams(reader) }
}

async function* streams(reader: ByteReader): AsyncGenerator<AudioBlock> {
  do yield* stream(reader, await streamHead(reader))
  while (isStreamHead(await reader.peek(8)))
}

/** The marker, then STREAMINFO of 34 bytes. */
function isStreamHead(head: Buffer): boolean {
  return (
    head.length === 8 &&
    head.toString('latin1', 0, 4) === 'fLaC' &&
    (head.readUInt32BE(4) & 0x7fffffff) === 34
  )
}

/** The marker and STREAMINFO as the only metadata: pictures of megabytes are passed over. */
async function streamHead(reader: ByteReader): Promise<Buffer> {
  if (!isStreamHead(await reader.peek(8))) {
    throw new UnreadableError('The FLAC file has no stream information')
  }
  const head = await reader.take(42)
  for (let isLast = head.readUInt8(4) >= 128; !isLast; ) {
    const block = await reader.take(4)
    if (block.length < 4) break
    isLast = block.readUInt8(0) >= 128
    await reader.skip(block.readUIntBE(1, 3))
  }
  return Buffer.concat([head.subarray(0, 4), Buffer.from([0x80]), head.subarray(5)])
}

async function* stream(reader: ByteReader, head: Buffer): AsyncGenerator<AudioBlock> {
  const run = startRun(head)
  try {
    while (!run.isOver()) {
      const bytes = await reader.peek(AHEAD)
      yield* run.decode(bytes, bytes.length < AHEAD)
      await reader.skip(run.isOver() ? nextStream(bytes, run.given()) : run.drop())
    }
    run.finish()
  } finally {
    run.free()
  }
}

/** Where another stream begins in what the decoder was given, or the end of that. */
function nextStream(bytes: Buffer, given: number): number {
  for (let at = Math.max(0, given - BEHIND); ; at++) {
    at = bytes.indexOf('fLaC', at, 'latin1')
    if (at < 0 || at >= given) return given
    if (isStreamHead(bytes.subarray(at, at + 8))) return at
  }
}

interface Run {
  /** Decode some frames. `bytes` begin where the last call's began, plus what {@link Run.drop} gave. */
  decode(bytes: Buffer, isEnd: boolean): AudioBlock[]
  isOver(): boolean
  /** how many of the bytes libFLAC has */
  given(): number
  /** how many of the bytes are not needed any more */
  drop(): number
  /** @throws SpeechError unless the stream is whole and has its MD5 */
  finish(): void
  free(): void
}

function startRun(head: Buffer): Run {
  const decoder = flac.create_libflac_decoder(true)
  const problems: string[] = []
  let blocks: AudioBlock[] = []
  let bytes: Buffer = Buffer.alloc(0)
  let headLeft = head
  let [position, samples] = [0, 0]
  let info: StreamInfo | undefined
  const read = (wanted: number) => {
    const buffer =
      headLeft.length > 0 ? headLeft.subarray(0, wanted) : bytes.subarray(position, position + wanted)
    if (headLeft.length > 0) headLeft = headLeft.subarray(buffer.length)
    else position += buffer.length
    return { buffer, readDataLength: buffer.length, error: false }
  }
  const write = (channels: readonly Uint8Array[], { blocksize, sampleRate, bitsPerSample }: FrameHeader) => {
    samples += blocksize
    blocks.push({
      sampleRate,
      channels: channels.map((channel) => toFloat(channel, blocksize, bitsPerSample)),
    })
  }
  const refuse = (reason: string) => {
    throw new SpeechError(
      `The FLAC file is truncated or damaged: it announces ${info?.total_samples ?? 0} samples, ${samples} could be read (${reason}).`,
      'Get the file again.',
    )
  }
  flac.init_decoder_stream(
    decoder,
    read,
    write,
    (_code, description) => problems.push(description),
    (found) => {
      info ??= found
    },
  )
  const state = () => flac.FLAC__stream_decoder_get_state(decoder)
  return {
    decode(window, isEnd) {
      bytes = window
      blocks = []
      for (let i = 0; i < FRAMES && state() < END_OF_STREAM; i++) {
        if (!isEnd && bytes.length - position < LONGEST_FRAME) break
        flac.FLAC__stream_decoder_process_single(decoder)
        if (problems[0] !== undefined) refuse(problems[0])
      }
      return blocks
    },
    isOver: () => state() >= END_OF_STREAM,
    given: () => position,
    drop() {
      const dropped = Math.max(0, position - BEHIND)
      position -= dropped
      return dropped
    },
    finish() {
      const isGood = state() === END_OF_STREAM
      const hasMd5 = Number(flac.FLAC__stream_decoder_finish(decoder)) === 1
      const isWhole = info !== undefined && (info.total_samples === 0 || info.total_samples === samples)
      if (!isGood || !hasMd5 || !isWhole) refuse('end or checksum missing')
    },
    free: () => flac.FLAC__stream_decoder_delete(decoder),
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
