// SPDX-License-Identifier: Apache-2.0

import { open, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadClip } from '../../eval/runtime/audio/clip.ts'
import { decodeBytes, fileOf } from '../helpers/audio.ts'
import { convert, ffmpegPath } from '../helpers/ffmpeg.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { chunk, floats, integers, wavOf } from '../helpers/wav.ts'

const VALUES = Array.from({ length: 1600 }, (_, i) => 0 + Math.round(16000 * Math.sin(i / 7)) / 32768)
const DATA = integers(VALUES, 2)
const LIST = chunk('LIST', Buffer.concat([Buffer.from('INFO'), Buffer.alloc(40000, 'x')]))

describe('the size of the data', () => {
  it.each([
    ['0, and a RIFF size of 0', { size: 0, riffSize: 0 }],
    ['0, and a RIFF size that is right', { size: 0 }],
    ['2^31 (arecord)', { size: 0x80000000, riffSize: 0x80000024 }],
    ['0x7fff0000 (GStreamer)', { size: 0x7fff0000, riffSize: 0x7fff0024 }],
    ['0x7ffff000 (sox)', { size: 0x7ffff000 }],
    ['0x7fffffff', { size: 0x7fffffff }],
    ['0xffffffff (ffmpeg)', { size: 0xffffffff, riffSize: 0xffffffff }],
    ['0xffffffff less a header', { size: 0xffffffff - 44 }],
    ['right, chunks behind', { behind: LIST }],
    ['right, an odd chunk before', { before: chunk('note', Buffer.from('odd')) }],
    [
      'right, an odd chunk before without its padding',
      { before: chunk('note', Buffer.from('odd')).subarray(0, 11) },
    ],
  ])('is %s: all samples, no note', async (_what, options) => {
    const { channels, notes } = await decodeBytes(wavOf(DATA, options))
    expect(channels).toEqual([VALUES])
    expect(notes).toEqual([])
  })

  it.each([8, 36, 44, 60])(
    'is %d bytes too large, as with the header counted in: all samples, and a note',
    async (more) => {
      const { channels, notes } = await decodeBytes(wavOf(DATA, { size: DATA.length + more }))
      expect(channels).toEqual([VALUES])
      expect(notes).toEqual([
        `The WAV header announces ${more} more bytes than follow; all that follow were read.`,
      ])
    },
  )

  it('is larger than what follows: a note says how much is missing', async () => {
    const { channels, notes } = await decodeBytes(wavOf(DATA, { size: 4 * DATA.length }))
    expect(channels).toEqual([VALUES])
    expect(notes).toEqual(['The WAV header announces 0.40 s and 0.10 s follow: the end is missing.'])
  })

  it('is smaller than what follows: a note says that the rest was not read', async () => {
    const rest = Buffer.concat(Array(12).fill(DATA))
    const { channels, notes } = await decodeBytes(wavOf(DATA, { behind: rest }))
    expect(channels).toEqual([VALUES])
    expect(notes).toEqual(['The WAV header announces fewer bytes than follow; the rest was not read.'])
  })

  it.each([
    ['samples of a quarter second', Buffer.concat(Array(3).fill(DATA)), /fewer bytes than follow/],
    ['another data chunk', Buffer.concat([LIST, chunk('data', DATA)]), /^More sound follows behind/],
    ['another WAV file', wavOf(DATA), /^More sound follows behind/],
  ])('leaves out %s: a note', async (_what, behind, note) => {
    const { channels, notes } = await decodeBytes(wavOf(DATA, { behind }))
    expect(channels).toEqual([VALUES])
    expect(notes).toEqual([expect.stringMatching(note)])
  })

  it('is 0 and chunks follow: there are no samples', async () => {
    const { channels } = await decodeBytes(wavOf(Buffer.alloc(0), { behind: LIST }))
    expect(channels).toEqual([[]])
  })
})

describe('long files', () => {
  /** A sparse file: `parts` at their places, zeros between. */
  async function sparse(parts: readonly [number, Buffer][], size: number): Promise<string> {
    const path = join(await temporaryFolder(), 'long.wav')
    const handle = await open(path, 'w')
    for (const [at, bytes] of parts) await handle.write(bytes, 0, bytes.length, at)
    await handle.truncate(size)
    await handle.close()
    expect((await stat(path)).size).toBe(size)
    return path
  }

  it('of 5 GiB are read by position, RF64 too', async () => {
    const far = 5 * 2 ** 30
    const wide = Buffer.alloc(28)
    wide.writeBigUInt64LE(BigInt(DATA.length), 8)
    const head = Buffer.concat([
      Buffer.from('RF64\xff\xff\xff\xffWAVE', 'latin1'),
      chunk('ds64', wide),
      wavOf(Buffer.alloc(0)).subarray(12, 36),
    ])
    // Chunks of 2^32 - 2 bytes before the data, which are passed over.
    const skipped = chunk('JUNK', Buffer.alloc(0), 0xfffffffe)
    const second = head.length + 8 + 0xfffffffe
    const last = chunk('JUNK', Buffer.alloc(0), far - second - 8)
    const path = await sparse(
      [
        [0, Buffer.concat([head, skipped])],
        [second, last],
        [far, chunk('data', DATA, 0xffffffff)],
      ],
      far + 8 + DATA.length,
    )
    const { samples, notes } = await loadClip(path)
    expect([...samples]).toEqual(VALUES)
    expect(notes).toEqual([])
  })
})

describe('the layout of samples', () => {
  const upper = (bytes: Buffer, from: number, to: number) => {
    const out = Buffer.alloc((bytes.length / from) * to)
    for (let i = 0; i * from < bytes.length; i++)
      bytes.copy(out, i * to + to - from, i * from, (i + 1) * from)
    return out
  }

  it('24 bits in 4 bytes, at their upper end', async () => {
    const data = upper(integers(VALUES, 3), 3, 4)
    const { channels, notes } = await decodeBytes(wavOf(data, { bits: 24, blockAlign: 4 }))
    expect(channels).toEqual([VALUES])
    expect(notes).toEqual([])
  })

  it('24 bits in 4 bytes, at their lower end', async () => {
    const noisy = VALUES.map((value, i) => value + (i % 5) / 2 ** 23)
    const data = Buffer.alloc(4 * noisy.length)
    for (const [i, value] of noisy.entries()) data.writeInt32LE(Math.round(value * 2 ** 23), 4 * i)
    const { channels } = await decodeBytes(wavOf(data, { bits: 24, blockAlign: 4 }))
    expect(channels).toEqual([noisy])
  })

  it.each([
    ['20 bits in 3 bytes', { bits: 20, blockAlign: 3 }, 3],
    ['20 valid of 24 bits', { bits: 24, validBits: 20 }, 3],
    ['24 valid of 32 bits', { bits: 32, validBits: 24 }, 4],
    ['12 bits in 2 bytes', { bits: 12 }, 2],
    ['16 bits without a block align', { blockAlign: 0 }, 2],
  ])('%s', async (_what, options, width) => {
    const coarse = VALUES.map((value) => 0 + Math.round(value * 2048) / 2048)
    const { channels } = await decodeBytes(wavOf(integers(coarse, width), options))
    expect(channels).toEqual([coarse])
  })

  it('stereo, 24 bits in 4 bytes', async () => {
    const data = upper(
      integers(
        VALUES.flatMap((value) => [value, -value]),
        3,
      ),
      3,
      4,
    )
    const { channels } = await decodeBytes(wavOf(data, { bits: 24, channels: 2, blockAlign: 8 }))
    expect(channels[0]).toEqual(VALUES)
    expect(channels[1]).toEqual(VALUES.map((value) => 0 - value))
  })
})

describe('codecs', () => {
  /** Every code of G.711, at 16 bits, from the formulas of the standard's tables in the other direction. */
  it.each([
    [6, 'alaw', [-5504, -5248, 5504, 8, -8, 32256]],
    [7, 'mulaw', [-32124, -31100, 32124, 0, 0, 132]],
  ])('G.711 with format %d gives what ffmpeg gives', async (tag, name, some) => {
    const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
    const { channels } = await decodeBytes(wavOf(all, { tag, bits: 8 }))
    const values = channels[0]?.map((value) => value * 32768) ?? []
    const raw = await convert(await fileOf(all), 'a.raw', ['-f', 's16le'], ['-f', name, '-ar', '8000'])
    expect(values).toEqual([...new Int16Array(Uint8Array.from(raw).buffer)])
    for (const value of some) expect(values).toContain(value)
  })

  it.each([
    ['adpcm_ima_wav', 17],
    ['adpcm_ms', 2],
    ['libmp3lame', 85],
  ])('%s is read by ffmpeg, and the message has both reasons', async (codec, tag) => {
    const speech = await fileOf(wavOf(Buffer.concat(Array(15).fill(DATA))), 'a.wav')
    const path = await fileOf(await convert(speech, 'a.wav', ['-c:a', codec]), 'b.wav')
    process.env['FFMPEG_PATH'] = await ffmpegPath()
    try {
      expect((await loadClip(path)).seconds).toBeCloseTo(1.5, 0)
      process.env['FFMPEG_PATH'] = '/nowhere/ffmpeg'
      await expect(loadClip(path)).rejects.toThrow(
        new RegExp(
          `b\\.wav: The WAV file has format ${tag}, \\d bits, 1 channels at 16000 Hz, \\d+ bytes a sample; wanted PCM \\(8 to 32 bits\\), float or G\\.711; others need ffmpeg, which is not on PATH\\.$`,
        ),
      )
    } finally {
      delete process.env['FFMPEG_PATH']
    }
  })

  it('refused by ffmpeg too: both reasons', async () => {
    process.env['FFMPEG_PATH'] = await ffmpegPath()
    try {
      await expect(decodeBytes(wavOf(DATA, { tag: 4711 }))).rejects.toThrow(
        /^The WAV file has format 4711, 16 bits, .*, and ffmpeg cannot read it: .+/,
      )
    } finally {
      delete process.env['FFMPEG_PATH']
    }
  })

  it('floats of 32 bits are read as they are', async () => {
    const { channels } = await decodeBytes(wavOf(floats(VALUES), { tag: 3, bits: 32 }))
    expect(channels).toEqual([VALUES])
  })
})

describe('headers of other writers', () => {
  it.each([1, 2])('RIFX has all numbers with the upper byte first, in %d channels', async (channels) => {
    const values = VALUES.slice(0, 1600 / channels)
    const stereo = values.flatMap((value) => (channels === 2 ? [value, -value] : [value]))
    const bytes = wavOf(integers(stereo, 2).swap16(), { channels, behind: LIST })
    bytes.write('RIFX', 'latin1')
    for (const at of [4, 16, 24, 28, 40]) bytes.subarray(at, at + 4).swap32()
    for (const at of [20, 22, 32, 34]) bytes.subarray(at, at + 2).swap16()
    bytes.subarray(44 + DATA.length + 4, 44 + DATA.length + 8).swap32()
    const found = await decodeBytes(bytes)
    expect(found.channels).toEqual(channels === 2 ? [values, values.map((value) => 0 - value)] : [values])
    expect([found.sampleRate, found.notes]).toEqual([16000, []])
  })

  it('a format of 14 bytes leaves the bits to the block align', async () => {
    const whole = wavOf(DATA)
    const bytes = Buffer.concat([whole.subarray(0, 34), whole.subarray(36)])
    bytes.writeUInt32LE(14, 16)
    expect((await decodeBytes(bytes)).channels).toEqual([VALUES])
  })
})
