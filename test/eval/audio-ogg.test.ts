// SPDX-License-Identifier: Apache-2.0

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadClip } from '../../eval/runtime/audio/clip.ts'
import { BUNDLED_SPEECH } from '../../pipeline/models.ts'
import { decodeBytes, fileOf, isSame, partsOf } from '../helpers/audio.ts'
import { convert, ffmpegPath } from '../helpers/ffmpeg.ts'

const FLAC = join(BUNDLED_SPEECH, 'held-out-002.flac')
const files: Record<string, Buffer> = {}
let length = 0

beforeAll(async () => {
  length = (await loadClip(FLAC)).samples.length
  const make = async (name: string, args: readonly string[]) => {
    files[name] = Buffer.from(await convert(FLAC, 'a.ogg', args))
  }
  await make('opus', ['-c:a', 'libopus'])
  await make('opus stereo', ['-c:a', 'libopus', '-ac', '2'])
  await make('vorbis', ['-c:a', 'libvorbis'])
  await make('vorbis stereo 44.1 kHz', ['-c:a', 'libvorbis', '-ac', '2', '-ar', '44100'])
})
const file = (name: string) => files[name] ?? Buffer.alloc(0)

/** Where pages begin. */
function pages(bytes: Buffer): number[] {
  const found: number[] = []
  for (let at = bytes.indexOf('OggS'); at >= 0; at = bytes.indexOf('OggS', at + 1)) found.push(at)
  return found
}

describe('a chain', () => {
  it.each([
    ['opus', 'opus'],
    ['opus', 'opus stereo'],
    ['opus stereo', 'opus'],
    ['vorbis', 'vorbis'],
    ['vorbis', 'vorbis stereo 44.1 kHz'],
    ['vorbis stereo 44.1 kHz', 'vorbis'],
    ['vorbis', 'opus stereo'],
  ])('of %s and %s has both, each in its own format', async (first, second) => {
    const both = Buffer.concat([file(first), file(second)])
    const { parts } = await decodeBytes(both)
    expect(isSame(parts, await partsOf([file(first), file(second)]))).toBe(true)
    expect((await loadClip(await fileOf(both))).samples.length).toBe(2 * length)
  })

  it('of FLAC files has both', async () => {
    const one = await readFile(FLAC)
    const { parts } = await decodeBytes(Buffer.concat([one, one]))
    expect(isSame(parts, await partsOf([one, one]))).toBe(true)
  })
})

describe('damage', () => {
  it.each(['opus', 'vorbis'])('of %s is known by the checksum of its page', async (name) => {
    const bytes = Buffer.from(file(name))
    const at = bytes.length - 100
    bytes[at] = (bytes[at] ?? 0) ^ 1
    await expect(decodeBytes(bytes)).rejects.toThrow(
      /^The Ogg file is damaged \(the checksum of page \d+ is wrong\)\.$/,
    )
  })

  it.each(['opus', 'vorbis'])('%s that ends within a page is read up to there, with a note', async (name) => {
    const bytes = file(name)
    const { notes, channels } = await decodeBytes(bytes.subarray(0, bytes.length - 50))
    expect(notes).toEqual(['The Ogg file ends within a page: the end is missing.'])
    expect(channels[0]?.length).toBeGreaterThan(0)
  })

  it('a missing page leaves a gap, with a note', async () => {
    const bytes = Buffer.from(await convert(FLAC, 'a.ogg', ['-c:a', 'libopus', '-page_duration', '200000']))
    const at = pages(bytes)
    const cut = Buffer.concat([bytes.subarray(0, at[4]), bytes.subarray(at[5])])
    expect((await decodeBytes(bytes)).notes).toEqual([])
    expect((await decodeBytes(cut)).notes).toEqual([
      'Pages of the Ogg file are missing: there are gaps in the sound.',
    ])
  })

  it('bytes behind the last page are none', async () => {
    const { notes, parts } = await decodeBytes(Buffer.concat([file('opus'), Buffer.alloc(100_000)]))
    expect(notes).toEqual([])
    expect(isSame(parts, await partsOf([file('opus')]))).toBe(true)
  })
})

describe('other streams', () => {
  it('beside the sound are passed over', async () => {
    // A page of another stream, with a codec that nobody knows, before and between.
    const other = (isFirst: boolean) => {
      const page = Buffer.alloc(27 + 1 + 8)
      page.write('OggS')
      page[5] = isFirst ? 2 : 0
      page.writeUInt32LE(77, 14)
      page[26] = 1
      page[27] = 8
      page.write('fishead\0', 28)
      page.writeUInt32LE(crc(page), 22)
      return page
    }
    const bytes = file('vorbis')
    const at = pages(bytes).at(-1) ?? 0
    const mixed = Buffer.concat([other(true), bytes.subarray(0, at), other(false), bytes.subarray(at)])
    expect(isSame((await decodeBytes(mixed)).parts, await partsOf([bytes]))).toBe(true)
  })

  it('alone (FLAC in Ogg) are read by ffmpeg', async () => {
    const bytes = await convert(FLAC, 'a.ogg', ['-c:a', 'flac'])
    process.env['FFMPEG_PATH'] = await ffmpegPath()
    try {
      expect((await decodeBytes(bytes)).channels[0]?.length).toBe(length)
      process.env['FFMPEG_PATH'] = '/nowhere/ffmpeg'
      await expect(decodeBytes(bytes)).rejects.toThrow(
        'The Ogg file has no Opus and no Vorbis stream; others need ffmpeg, which is not on PATH.',
      )
    } finally {
      delete process.env['FFMPEG_PATH']
    }
  })
})

/** Bit by bit, as RFC 3533 says: polynomial 0x04c11db7. */
function crc(bytes: Buffer): number {
  let value = 0
  for (const byte of bytes) {
    value ^= byte << 24
    for (let bit = 0; bit < 8; bit++) value = value & 0x80000000 ? (value << 1) ^ 0x04c11db7 : value << 1
  }
  return value >>> 0
}
