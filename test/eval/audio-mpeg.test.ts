// SPDX-License-Identifier: Apache-2.0

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { loadClip } from '../../eval/runtime/audio/clip.ts'
import { BUNDLED_SPEECH } from '../../pipeline/models.ts'
import { decodeBytes, fileOf, isSame, partsOf } from '../helpers/audio.ts'
import { convert, ffmpegPath } from '../helpers/ffmpeg.ts'

const FLAC = join(BUNDLED_SPEECH, 'held-out-002.flac')
const zeros = (count: number) => Buffer.alloc(count)
/** Bytes that look like nothing. */
const junk = (count: number) => Buffer.from(Array.from({ length: count }, (_, i) => (i * 37) % 251))
const id3 = Buffer.concat([Buffer.from('ID3\x03\0\0\0\0\0\x14', 'latin1'), Buffer.alloc(20, 'x')])
const id3v1 = Buffer.concat([Buffer.from('TAG'), Buffer.alloc(125)])
const ape = (() => {
  const footer = Buffer.alloc(32)
  footer.write('APETAGEX')
  footer.writeUInt32LE(2000, 8)
  footer.writeUInt32LE(32 + 16, 12)
  const header = Buffer.from(footer)
  header.writeUInt32LE(0xa0000000, 20)
  return Buffer.concat([header, Buffer.alloc(16, 'y'), footer])
})()

let [lame, plain, fast, layer2]: Buffer[] = []
let length = 0
beforeAll(async () => {
  length = (await loadClip(FLAC)).samples.length
  lame = Buffer.from(await convert(FLAC, 'a.mp3', ['-b:a', '64k']))
  plain = Buffer.from(
    await convert(FLAC, 'a.mp3', ['-b:a', '64k', '-write_xing', '0', '-id3v2_version', '0']),
  )
  fast = Buffer.from(await convert(FLAC, 'a.mp3', ['-b:a', '96k', '-ar', '44100', '-ac', '2']))
  layer2 = Buffer.from(await convert(FLAC, 'a.mp2', ['-b:a', '64k']))
})
const all = () => ({ lame, plain, fast, layer2 }) as Record<string, Buffer>
const samplesOf = async (bytes: Uint8Array) => (await loadClip(await fileOf(bytes))).samples

describe('behind the last frame', () => {
  it.each([
    ['4 kB of zeros', zeros(4096)],
    ['3 MB of zeros', zeros(3_000_000)],
    ['bytes that are nothing', junk(100_000)],
    ['an ID3v1 tag', id3v1],
    ['an APE tag and an ID3v1 tag', Buffer.concat([ape, id3v1])],
    ['a tag, then zeros', Buffer.concat([id3v1, zeros(70_000)])],
  ])('%s are not damage', async (_what, behind) => {
    for (const bytes of [lame, plain] as Buffer[]) {
      const { channels, sampleRate, notes } = await decodeBytes(Buffer.concat([bytes, behind]))
      expect(isSame([{ sampleRate, channels }], await partsOf([bytes]))).toBe(true)
      expect(notes).toEqual([])
    }
  })

  it('writes nothing to the console, whatever is wrong', async () => {
    const spies = (['log', 'warn', 'error'] as const).map((name) => vi.spyOn(console, name))
    const wrong = [junk(40_000), Buffer.concat([id3, junk(9000)]), (lame as Buffer).subarray(0, 500)]
    for (const bytes of wrong) {
      await decodeBytes(Buffer.concat([bytes, (lame as Buffer).subarray(3000, 9000)])).catch(() => {})
      await decodeBytes(Buffer.concat([lame as Buffer, bytes])).catch(() => {})
    }
    for (const spy of spies) expect(spy).not.toHaveBeenCalled()
    vi.restoreAllMocks()
  })
})

describe('damage', () => {
  it.each([
    ['zeros', zeros(2000)],
    ['other bytes', junk(2000)],
  ])('%s over frames in the middle are refused with their time', async (_what, hole) => {
    const bytes = Buffer.from(lame as Buffer)
    hole.copy(bytes, bytes.length >> 1)
    await expect(decodeBytes(bytes)).rejects.toThrow(
      /^The MP3 file is damaged \(\d{4} bytes at about 0\.\d\d s are not a frame\); \d+ samples could be read\.$/,
    )
  })

  it('a cut end is read, and a note says what is missing', async () => {
    const { channels, notes } = await decodeBytes((lame as Buffer).subarray(0, (lame as Buffer).length >> 1))
    expect(channels[0]?.length).toBeGreaterThan(0.4 * length)
    expect(notes).toEqual([
      expect.stringMatching(/^The MP3 file announces 1\.\d\d s and 0\.\d\d s follow: the end is missing\.$/),
    ])
  })
})

describe('files one behind the other', () => {
  it.each([
    ['lame', 'lame'],
    ['lame', 'fast'],
    ['fast', 'lame'],
    ['plain', 'plain'],
    ['plain', 'fast'],
    ['layer2', 'fast'],
  ])('%s, then %s: both, in their own rate', async (first, second) => {
    const [a, b] = [all()[first] as Buffer, all()[second] as Buffer]
    const { parts } = await decodeBytes(Buffer.concat([a, b]))
    // Frames of one kind without a LAME header are one stream for the decoder, and its sound overlaps.
    if (first === 'plain' && second === 'plain') {
      const { channels } = await decodeBytes(a)
      expect(parts.map(({ channels }) => channels[0]?.length)).toEqual([2 * (channels[0]?.length ?? 0)])
    } else {
      expect(isSame(parts, await partsOf([a, b]))).toBe(true)
    }
  })

  it.each([
    ['tags', Buffer.concat([id3v1, ape, id3])],
    ['zeros', zeros(5000)],
  ])('with %s between', async (_what, between) => {
    const found = await samplesOf(Buffer.concat([lame as Buffer, between, fast as Buffer]))
    const wanted = (await samplesOf(lame as Buffer)).length + (await samplesOf(fast as Buffer)).length
    expect(found.length).toBe(wanted)
  })

  it('of AAC, whose rate changes, have their length by ffmpeg', async () => {
    const slow = await convert(FLAC, 'a.aac', ['-c:a', 'aac'])
    const high = await convert(FLAC, 'a.aac', ['-c:a', 'aac', '-ar', '44100', '-ac', '2'])
    process.env['FFMPEG_PATH'] = await ffmpegPath()
    try {
      const apart = (await samplesOf(slow)).length + (await samplesOf(high)).length
      for (const parts of [
        [slow, high],
        [high, slow],
      ]) {
        expect(Math.abs((await samplesOf(Buffer.concat(parts))).length - apart)).toBeLessThan(800)
      }
      expect((await samplesOf(Buffer.concat([id3, slow]))).length).toBe((await samplesOf(slow)).length)
    } finally {
      delete process.env['FFMPEG_PATH']
    }
  })
})

describe('behind an ID3 tag', () => {
  it('is MP3, WAV, FLAC', async () => {
    const wav = await convert(FLAC, 'a.wav', [])
    for (const bytes of [lame as Buffer, wav, await readFile(FLAC)]) {
      const { parts } = await decodeBytes(Buffer.concat([id3, id3, bytes]))
      expect(isSame(parts, await partsOf([bytes]))).toBe(true)
    }
  })
})
