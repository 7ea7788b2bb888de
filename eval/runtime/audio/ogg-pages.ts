// SPDX-License-Identifier: Apache-2.0

import { SpeechError } from '../speech-error.ts'
import type { ByteReader } from './byte-reader.ts'

/** A page of an Ogg file (RFC 3533 section 6). */
export interface OggPage {
  readonly serial: number
  readonly sequence: number
  /** position at its end, in the codec's units; undefined when no packet ends here */
  readonly granule: number | undefined
  /** begins with the rest of the packet before */
  readonly isContinued: boolean
  readonly isFirst: boolean
  readonly isLast: boolean
  readonly lacing: Buffer
  readonly body: Buffer
  /** header and body */
  readonly bytes: Buffer
}

const LONGEST_PAGE = 27 + 255 + 255 * 255
const CRC = Uint32Array.from({ length: 256 }, (_, i) => {
  let value = i << 24
  for (let bit = 0; bit < 8; bit++) value = (value << 1) ^ (value < 0 ? 0x04c11db7 : 0)
  return value
})

/**
 * The pages of an Ogg file in their order, of all its streams.
 * @param notes gets a sentence when the file ends within a page
 * @throws SpeechError for a page whose checksum is wrong, and for other bytes between pages
 */
export async function* oggPages(reader: ByteReader, notes: string[]): AsyncGenerator<OggPage> {
  for (;;) {
    const bytes = await reader.peek(LONGEST_PAGE)
    if (bytes.length === 0) return
    if (bytes.toString('latin1', 0, 4) !== 'OggS') {
      if (await hasPageBehind(reader)) throw damage('bytes between two pages')
      return
    }
    const [segments, length] = pageLength(bytes)
    if (bytes.length < length) {
      notes.push('The Ogg file ends within a page: the end is missing.')
      return
    }
    yield readPage(bytes.subarray(0, length), segments)
    await reader.skip(length)
  }
}

function pageLength(bytes: Buffer): readonly [number, number] {
  const segments = bytes[26] ?? 0
  return [segments, bytes.subarray(27, 27 + segments).reduce((sum, size) => sum + size, 27 + segments)]
}

function readPage(page: Buffer, segments: number): OggPage {
  if (checksum(page) !== page.readUInt32LE(22)) {
    throw damage(`the checksum of page ${page.readUInt32LE(18)} is wrong`)
  }
  const flags = page[5] as number
  const granule = page.readBigInt64LE(6)
  return {
    serial: page.readUInt32LE(14),
    sequence: page.readUInt32LE(18),
    granule: granule < 0n ? undefined : Number(granule),
    isContinued: (flags & 1) !== 0,
    isFirst: (flags & 2) !== 0,
    isLast: (flags & 4) !== 0,
    lacing: page.subarray(27, 27 + segments),
    body: page.subarray(27 + segments),
    bytes: page,
  }
}

/** Polynomial 0x04c11db7, of the whole page with zeros for the checksum itself. */
function checksum(page: Buffer): number {
  let crc = 0
  for (let i = 0; i < page.length; i++) {
    const byte = i >= 22 && i < 26 ? 0 : (page[i] as number)
    crc = (crc << 8) ^ (CRC[(crc >>> 24) ^ byte] as number)
  }
  return crc >>> 0
}

function damage(reason: string): SpeechError {
  return new SpeechError(`The Ogg file is damaged (${reason}).`, 'Get the file again.')
}

async function hasPageBehind(reader: ByteReader): Promise<boolean> {
  for (;;) {
    const bytes = await reader.peek(LONGEST_PAGE)
    if (bytes.includes('OggS\0', 0, 'latin1')) return true
    if (bytes.length < LONGEST_PAGE) return false
    await reader.skip(bytes.length - 4)
  }
}
