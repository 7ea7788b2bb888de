// SPDX-License-Identifier: Apache-2.0

import { MPEGDecoder } from 'mpg123-decoder'
import { quietly } from '../quietly.ts'
import { SpeechError } from '../speech-error.ts'
import { type AudioBlock, type Decoded, inSeconds, UnreadableError } from './audio-block.ts'
import type { ByteReader } from './byte-reader.ts'
import { announcedFrames, type MpegHeader, type MpegRun, mpegRuns, readMpegHeader } from './mpeg-frames.ts'

/* libmpg123 as WebAssembly, MIT licensed wrapper, over a million downloads a month. */

/** What an encoder adds in front and behind, in frames: fewer missing ones are not a loss. */
const SLACK = 3
const CHUNK = 1 << 16

/**
 * Decode MPEG audio layer I to III, the encoder's delay and padding removed (LAME header). Files that were put one
 * behind the other are read as one. Tags, zeros and other bytes behind the last frame are not damage.
 * @param notes gets a sentence when fewer frames follow than the file announces
 * @throws SpeechError when frames are damaged
 */
export async function decodeMpeg(reader: ByteReader, notes: string[]): Promise<Decoded> {
  const header = readMpegHeader(await reader.peek(4))
  return { isFloat: false, blocks: header?.length === 0 ? freeFormat(reader, header) : files(reader, notes) }
}

async function* files(reader: ByteReader, notes: string[]): AsyncGenerator<AudioBlock> {
  let part: Part | undefined
  let samples = 0
  try {
    for await (const run of mpegRuns(reader)) {
      if (run.type === 'junk') {
        refuseJunk(run, part, samples)
        continue
      }
      if (run.startsFile || part?.header.kind !== run.header.kind) {
        part?.finish(notes)
        part = await startPart(run)
      }
      const block = part.decode(run.bytes, samples)
      samples += block.channels[0]?.length ?? 0
      yield block
    }
    part?.finish(notes)
    part = undefined
  } finally {
    part?.free()
  }
  if (samples === 0) throw new UnreadableError('The file begins as MP3 and has no MPEG audio frames')
}

function refuseJunk(run: MpegRun & { type: 'junk' }, part: Part | undefined, samples: number): void {
  if (part === undefined || run.isLast) return
  const at = inSeconds(samples, part.header.sampleRate)
  throw damage(`${run.length} bytes at about ${at} are not a frame`, samples)
}

function damage(reason: string, samples: number): SpeechError {
  return new SpeechError(
    `The MP3 file is damaged (${reason}); ${samples} samples could be read.`,
    'Get the file again.',
  )
}

interface Part {
  readonly header: MpegHeader
  decode(bytes: Buffer, before: number): AudioBlock
  finish(notes: string[]): void
  free(): void
}

async function startPart({ header, bytes }: MpegRun & { type: 'frames' }): Promise<Part> {
  const decoder = new MPEGDecoder()
  await decoder.ready
  const announced = announcedFrames(bytes.subarray(0, header.length)) ?? 0
  let frames = announced > 0 ? -1 : 0 // the frame that announces is none of them
  return {
    header,
    decode(run, before) {
      for (let at = 0; at < run.length; at += readMpegHeader(run, at)?.length ?? run.length) frames++
      const { channelData, errors } = quietly(() => decoder.decode(run))
      const [error] = errors
      if (error) throw damage(error.message.trim(), before + (channelData[0]?.length ?? 0))
      // The decoder gives mono twice.
      return {
        sampleRate: header.sampleRate,
        channels: header.isMono ? channelData.slice(0, 1) : channelData,
      }
    },
    finish(notes) {
      decoder.free()
      if (frames + SLACK >= announced) return
      const length = (count: number) => inSeconds(count * header.samples, header.sampleRate)
      notes.push(
        `The MP3 file announces ${length(announced)} and ${length(frames)} follow: the end is missing.`,
      )
    },
    free: () => decoder.free(),
  }
}

/** Only libmpg123 finds frames of a free bit rate. Behind the last one it reports an error. */
async function* freeFormat(reader: ByteReader, header: MpegHeader): AsyncGenerator<AudioBlock> {
  const decoder = new MPEGDecoder()
  await decoder.ready
  let [samples, problem] = [0, '']
  try {
    for (let bytes = await reader.take(CHUNK); bytes.length > 0; bytes = await reader.take(CHUNK)) {
      const { channelData, errors, samplesDecoded } = quietly(() => decoder.decode(bytes))
      if (problem !== '' && samplesDecoded > 0) throw damage(problem, samples)
      samples += samplesDecoded
      problem ||= errors[0]?.message.trim() ?? ''
      if (samplesDecoded === 0) continue
      yield { sampleRate: header.sampleRate, channels: header.isMono ? channelData.slice(0, 1) : channelData }
    }
  } finally {
    decoder.free()
  }
  if (samples === 0) throw new UnreadableError('The file begins as MP3 and has no MPEG audio frames')
}
