// SPDX-License-Identifier: Apache-2.0

import type { ByteReader } from './byte-reader.ts'

/** How far frames are looked for in bytes that are none. */
const WINDOW = 1 << 16
/** The longest frame: layer II of 384 kbit/s at 32 kHz has 1728 bytes, layer II at 8 kHz and 160 kbit/s 2880. */
const LONGEST_FRAME = 2881
/** 640 kbit/s in layer III at 8 kHz, the most that decoders take. */
const LONGEST_FREE_FRAME = 5760
/** So many headers in their places are not an accident. */
const CONFIRMED = 3

/** The header of an MPEG audio frame (ISO/IEC 11172-3 section 2.4.1.3, 13818-3, and 2.5 of MPEG-2). */
export interface MpegHeader {
  readonly sampleRate: number
  readonly isMono: boolean
  /** equal for frames that one decoder run can take */
  readonly kind: string
  /** bytes; 0 where the bit rate is free, so that only the next header shows it */
  readonly length: number
  /** of one frame */
  readonly samples: number
}

/** A stretch of an MPEG audio file. */
export type MpegRun =
  /** whole frames of one kind; `startsFile` where an encoder began, which has its delay in front */
  | {
      readonly type: 'frames'
      readonly bytes: Buffer
      readonly header: MpegHeader
      readonly startsFile: boolean
    }
  /** bytes that are not a frame and no tag; `isLast` when no frame follows */
  | { readonly type: 'junk'; readonly length: number; readonly isZero: boolean; readonly isLast: boolean }

const BIT_RATES: Readonly<Record<string, readonly number[]>> = {
  '1.1': [32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
  '1.2': [32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
  '1.3': [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  '2.1': [32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
  '2.2': [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
  '2.3': [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
}

/** Read the header of an MPEG audio frame, of four bytes. @returns undefined when no header begins at `at` */
export function readMpegHeader(bytes: Uint8Array, at = 0): MpegHeader | undefined {
  const [sync = 0, second = 0, third = 0, fourth = 0] = bytes.subarray(at, at + 4)
  const version = (second >> 3) & 3 // 0 is 2.5, 2 is MPEG-2, 3 is MPEG-1
  const layer = 4 - ((second >> 1) & 3)
  const rateIndex = (third >> 2) & 3
  const bitRate = third >> 4
  if (sync !== 0xff || second < 0xe0 || version === 1 || layer === 4 || rateIndex === 3 || bitRate === 15) {
    return undefined
  }
  const sampleRate =
    ([44100, 48000, 32000][rateIndex] as number) / (version === 3 ? 1 : version === 2 ? 2 : 4)
  const samples = layer === 1 ? 384 : layer === 3 && version !== 3 ? 576 : 1152
  const kilobits = BIT_RATES[`${version === 3 ? 1 : 2}.${layer}`]?.[bitRate - 1] ?? 0
  const slot = layer === 1 ? 4 : 1
  const slots = Math.floor((samples * kilobits * 1000) / (8 * slot * sampleRate)) + ((third >> 1) & 1)
  const isMono = fourth >> 6 === 3
  const kind = `${version}.${layer} ${sampleRate} ${isMono}`
  return { sampleRate, isMono, kind, samples, length: bitRate === 0 ? 0 : slots * slot }
}

/** Whether {@link CONFIRMED} headers of one kind are in their places from `at`; two at least where the bytes end. */
export function hasMpegFrames(bytes: Uint8Array, at = 0): boolean {
  const first = readMpegHeader(bytes, at)
  if (first === undefined || first.length === 0) return false
  for (let i = 0, next = at; i < CONFIRMED; i++) {
    const header = readMpegHeader(bytes, next)
    if (header?.kind !== first.kind) return next >= bytes.length && i > 0
    next += header.length
  }
  return true
}

/** Three headers of a free bit rate at equal distances, except a padding of one slot, which has four bytes in layer I. */
export function hasFreeFrames(bytes: Uint8Array, at = 0): boolean {
  const first = readMpegHeader(bytes, at)
  if (first?.length !== 0) return false
  const isLike = (place: number) => {
    const header = readMpegHeader(bytes, place)
    return header?.length === 0 && header.kind === first.kind
  }
  for (let distance = 24; distance <= LONGEST_FREE_FRAME; distance++) {
    if (!isLike(at + distance)) continue
    for (let slack = -4; slack <= 4; slack++) if (isLike(at + 2 * distance + slack)) return true
  }
  return false
}

/**
 * How many frames the frame's Xing, Info or VBRI header announces (LAME, Fraunhofer), 0 when it leaves them open;
 * undefined without one. It stands behind the side information, or 36 bytes from the start.
 */
export function announcedFrames(frame: Buffer): number | undefined {
  const header = readMpegHeader(frame)
  if (header === undefined || frame.length < 64) return undefined
  const isFirstVersion = ((frame[1] as number) & 0x08) !== 0
  const side = isFirstVersion ? (header.isMono ? 17 : 32) : header.isMono ? 9 : 17
  for (const at of [4 + side, 6 + side]) {
    const isXing = ['Xing', 'Info'].includes(frame.toString('latin1', at, at + 4))
    if (isXing && frame.readUInt32BE(at + 4) < 16) {
      return frame.readUInt32BE(at + 4) & 1 ? frame.readUInt32BE(at + 8) : 0
    }
  }
  const isVbri = frame.toString('latin1', 36, 40) === 'VBRI' && frame.readUInt16BE(40) === 1
  return isVbri ? frame.readUInt32BE(50) : undefined
}

/** Split an MPEG audio file, its tags left out. */
export async function* mpegRuns(reader: ByteReader): AsyncGenerator<MpegRun> {
  let kind: string | undefined
  let startsFile = true
  for (;;) {
    const window = await reader.peek(WINDOW + LONGEST_FRAME)
    if (window.length === 0) return
    const run = wholeFrames(window, kind)
    if (run) {
      yield { type: 'frames', ...run, startsFile: startsFile || announcedFrames(run.bytes) !== undefined }
      await reader.skip(run.bytes.length)
      kind = run.header.kind
      startsFile = false
      continue
    }
    const tag = tagLength(window)
    if (tag > 0) {
      await reader.skip(tag)
      startsFile = true
    } else {
      const junk = await skipJunk(reader)
      startsFile ||= junk.endsInTag
      if (!startsFile || junk.isLast) yield { type: 'junk', ...junk }
    }
  }
}

/** The frames at the start, up to the first that begins another file or kind. */
function wholeFrames(window: Buffer, kind: string | undefined) {
  const header = readMpegHeader(window)
  if (!header || header.length === 0) return undefined
  if (header.kind !== kind && !hasMpegFrames(window)) return undefined
  let end = 0
  for (;;) {
    const next = readMpegHeader(window, end)
    if (next?.kind !== header.kind || next.length === 0 || end + next.length > window.length) break
    if (end > 0 && announcedFrames(window.subarray(end, end + next.length)) !== undefined) break
    end += next.length
    if (end > WINDOW) break
  }
  return end === 0 ? undefined : { bytes: window.subarray(0, end), header }
}

/** Bytes of a tag that begins here: ID3v2, ID3v1, APEv2, Lyrics3 (https://id3.org, https://wiki.hydrogenaud.io). */
export function tagLength(bytes: Buffer): number {
  const text = bytes.toString('latin1', 0, 12)
  if (/^ID3[^\xff][^\xff]/.test(text) && bytes.length >= 10) {
    const size = [6, 7, 8, 9].reduce((sum, i) => sum * 128 + ((bytes[i] ?? 0) & 127), 0)
    return 10 + size + ((bytes[5] ?? 0) & 0x10 ? 10 : 0)
  }
  if (text.startsWith('TAG+')) return 227
  if (text.startsWith('TAG')) return 128
  if (text.startsWith('APETAGEX') && bytes.length >= 24) {
    return bytes.readUInt32LE(12) + ((bytes[23] ?? 0) & 0x20 ? 32 : 0)
  }
  return 0
}

/** Pass over bytes up to the next frames, the next tag or the end. */
async function skipJunk(reader: ByteReader) {
  let [length, isZero] = [0, true]
  for (;;) {
    const window = await reader.peek(WINDOW + CONFIRMED * LONGEST_FRAME)
    if (window.length === 0) return { length, isZero, isLast: true, endsInTag: false }
    const last =
      window.length <= CONFIRMED * LONGEST_FRAME ? window.length : window.length - CONFIRMED * LONGEST_FRAME
    let at = 0
    while (at < last && !isResumed(window, at, length + at)) isZero = window[at++] === 0 && isZero
    await reader.skip(at)
    length += at
    if (at < last) return { length, isZero, isLast: false, endsInTag: isStart(window.subarray(at)) }
  }
}

/** Not at the very first byte, which was seen to be none. */
function isResumed(window: Buffer, at: number, passed: number): boolean {
  if (passed === 0) return false
  return window[at] === 0xff ? hasMpegFrames(window, at) : isTagStart(window, at)
}

function isTagStart(window: Buffer, at: number): boolean {
  const first = window[at]
  return (first === 0x49 || first === 0x54 || first === 0x41) && tagLength(window.subarray(at, at + 32)) > 0
}

function isStart(bytes: Buffer): boolean {
  return isTagStart(bytes, 0) || announcedFrames(bytes.subarray(0, LONGEST_FRAME)) !== undefined
}
