// SPDX-License-Identifier: Apache-2.0

import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { encodeFloatWav } from '../../eval/dataset/float-wav.ts'
import { loadClip } from '../../eval/runtime/audio/clip.ts'
import { encodeWav } from '../../eval/runtime/audio/wav.ts'
import {
  ALL,
  digest,
  folder,
  freshRoot,
  heard,
  noise,
  open,
  RATE,
  root,
  WAVS,
} from '../helpers/recordings.ts'

beforeEach(freshRoot)

describe('names of files', () => {
  const NFC = 'für Größe.wav'
  const NFD = NFC.normalize('NFD')

  it.each([
    ['composed on disk, decomposed in the manifest', NFC, NFD],
    ['decomposed on disk, composed in the manifest', NFD, NFC],
    ['the same', NFD, NFD],
  ])('are found when they are %s', async (_name, onDisk, listed) => {
    const place = await folder('data', {
      [onDisk]: '',
      'manifest.jsonl': JSON.stringify({ file: listed, text: 'one' }),
    })
    expect(await heard(place)).toEqual([`${listed}: one`])
    const [folderOnDisk, folderListed] = [onDisk, listed].map((name) => name.slice(0, -4))
    const below = await folder('below', {
      [`${folderOnDisk}/x/${listed}`]: '',
      'metadata.csv': `file_name,text\n${folderListed}/x/${onDisk},one`,
    })
    expect((await open(below)).utterances[0]?.path).toBe(join(below, `${folderOnDisk}/x/${listed}`))
    const beside = await folder('beside', { [onDisk]: '', [listed.replace('.wav', '.txt')]: 'one' })
    expect(await heard(beside)).toEqual([`${NFC}: one`])
    const libri = await folder('libri', {
      [`x/${onDisk}`.replace(' ', '')]: '',
      'x/x.trans.txt': `${listed.slice(0, -4).replace(' ', '')} one`,
    })
    expect((await open(libri)).utterances[0]?.problem).toBeUndefined()
  })

  it('may be absolute, have backslashes, or begin at the home', async () => {
    const place = await folder('data', { 'clips/one/a.wav': '', 'b.wav': '', 'c.wav': '' })
    vi.stubEnv('HOME', root)
    try {
      const files = ['clips\\one\\a.wav', join(place, 'b.wav'), '~/data/c.wav', './b.wav', '../data/b.wav']
      await writeFile(
        join(place, 'manifest.jsonl'),
        files.map((file) => JSON.stringify({ file, text: 'x' })).join('\n'),
      )
      const { utterances } = await open(place)
      expect(utterances.map(({ path }) => path)).toEqual(
        ['clips/one/a.wav', 'b.wav', 'c.wav', 'b.wav', 'b.wav'].map((file) => join(place, file)),
      )
      await writeFile(join(place, 'manifest.jsonl'), '{"file": "~/gone.wav", "text": "x"}')
      await expect(open(place)).rejects.toThrow(`can be read: ${join(root, 'gone.wav')} does not exist.`)
    } finally {
      vi.unstubAllEnvs()
    }
  })
})

describe('entries that cannot be read', () => {
  it('are named one by one, and end nothing', async () => {
    const place = await folder('data', WAVS)
    await mkdir(join(place, 'dir.wav'))
    await execa('mkfifo', [join(place, 'pipe.wav')])
    await symlink('loop.wav', join(place, 'loop.wav'))
    await symlink('nothing.wav', join(place, 'dangling.wav'))
    const long = `${'x'.repeat(300)}.wav`
    const files = [
      ...[
        'a.wav',
        'dir.wav',
        '.',
        'pipe.wav',
        '/dev/null',
        'loop.wav',
        'dangling.wav',
        'gone.wav',
        'a.wav/x.wav',
      ],
      ...[long, 'nul\0.wav', 'https://example.org/a.wav', 's3://bucket/a.wav'],
    ]
    await writeFile(
      join(place, 'manifest.jsonl'),
      files.map((file, i) => JSON.stringify({ file, id: `${i}`, text: 'x' })).join('\n'),
    )
    const { utterances } = await open(place)
    const at = (name: string) => join(place, name)
    expect(utterances.map(({ problem }) => problem)).toEqual([
      undefined,
      `${at('dir.wav')} is a directory, not a file.`,
      `${place} is a directory, not a file.`,
      `${at('pipe.wav')} is a FIFO, not a file.`,
      '/dev/null is a device, not a file.',
      `${at('loop.wav')} is a link that leads to itself.`,
      `${at('dangling.wav')} does not exist.`,
      `${at('gone.wav')} does not exist.`,
      `${at('a.wav/x.wav')} does not exist.`,
      `${at(long)} cannot be read (ENAMETOOLONG).`,
      expect.stringContaining('does not exist.'),
      'https://example.org/a.wav is an address, and only files of this machine are read.',
      's3://bucket/a.wav is an address, and only files of this machine are read.',
    ])
    expect(utterances.map(({ path }) => path !== undefined)).toEqual(files.map((_, i) => i === 0))
  })

  it('do not end a part of an evaluation in which there is nothing else', async () => {
    const place = await folder('data', {
      ...WAVS,
      'manifest.jsonl': '{"file":"gone.wav","text":"x"}\n{"file":"a.wav","text":"y"}',
    })
    const { utterances } = await open(place, { selection: { ...ALL, shard: { index: 1, of: 2 } } })
    expect(utterances.map(({ problem }) => problem)).toEqual([`${join(place, 'gone.wav')} does not exist.`])
  })
})

describe('parts of recordings', () => {
  const LONG = noise(4, 7)
  const manifest = (...entries: readonly object[]) => entries.map((entry) => JSON.stringify(entry)).join('\n')
  const part = (offset: unknown, duration: unknown) => ({
    audio_filepath: 'long.wav',
    offset,
    duration,
    text: 'x',
  })

  async function samplesOf(place: string): Promise<string[]> {
    const { utterances } = await open(place)
    return Promise.all(
      utterances.map(async ({ path, problem }) =>
        path === undefined ? `${problem}` : digest((await loadClip(path)).samples),
      ),
    )
  }

  it('are cut to the sample, in any order, over each other, and across the ten seconds of a block', async () => {
    const long = noise(25, 3)
    const spans = [
      [0, 1],
      [0.5, 9.75],
      [9.99, 10.02],
      [20.0001, 3],
      [3.3333, 17.2],
      [1, 0.5],
    ] as const
    const entries = spans.map(([offset, duration]) => part(offset, duration))
    const place = await folder('nemo', {
      'long.wav': encodeWav(long),
      'manifest.jsonl': manifest(...entries),
    })
    const wanted = spans.map(([offset, duration]) =>
      digest(long.slice(Math.round(offset * RATE), Math.round((offset + duration) * RATE))),
    )
    expect(await samplesOf(place)).toEqual(wanted)
    const { dataset, utterances } = await open(place)
    expect(dataset.keys.map((key) => dataset.audioPath(key))).toEqual(utterances.map(({ path }) => path))
    expect(utterances.map(({ id }) => id).slice(0, 2)).toEqual(['long.wav 0+1', 'long.wav 0.5+9.75'])
  })

  it('keep what 16 bits would round', async () => {
    const fine = noise(1).map((sample, i) => sample + (i % 7) * 1e-6)
    const place = await folder('nemo', {
      'long.wav': encodeFloatWav(fine, RATE),
      'manifest.jsonl': manifest(part(0.25, 0.5)),
    })
    expect(await samplesOf(place)).toEqual([digest(fine.slice(4000, 12_000))])
  })

  it.each([
    ['no duration', 1, undefined, 1, 4],
    ['a duration of -1', 1, -1, 1, 4],
    ['strings', '1', '1.5', 1, 2.5],
    ['a duration alone, as NeMo does', undefined, 1.5, 0, 1.5],
    ['an end that is rounded up', 1, 3.004, 1, 4],
    ['an end a little beyond', 1, 3.4, 1, 4],
    ['all of it', 0, 4.003, 0, 4],
    ['nulls', null, null, 0, 4],
  ])('may have %s', async (_name, offset, duration, start, end) => {
    const place = await folder('nemo', {
      'long.wav': encodeWav(LONG),
      'manifest.jsonl': manifest(part(offset, duration)),
    })
    expect(await samplesOf(place)).toEqual([digest(LONG.slice(start * RATE, end * RATE))])
  })

  it('take the file itself when they are all of it', async () => {
    const place = await folder('nemo', {
      'long.wav': encodeWav(LONG),
      'manifest.jsonl': manifest(part(undefined, 4), part(0, 3.995)),
    })
    const { dataset, utterances } = await open(place)
    expect(utterances.map(({ path }) => path)).toEqual([join(place, 'long.wav'), join(place, 'long.wav')])
    expect(dataset.keys.map((key) => dataset.audioPath(key))).toEqual(utterances.map(({ path }) => path))
  })

  it('are named when the file ends before them or within them', async () => {
    const place = await folder('nemo', {
      'long.wav': encodeWav(LONG),
      'bad.wav': 'RIFF',
      'manifest.jsonl': manifest(
        part(0, 1),
        part(4, 1),
        part(400, 1),
        part(3, 2),
        part(0, 4000),
        { ...part(0, 1), audio_filepath: 'bad.wav' },
        part(1, 1),
      ),
    })
    const file = join(place, 'long.wav')
    const found = await samplesOf(place)
    expect(found[0]).toBe(digest(LONG.slice(0, RATE)))
    expect(found.slice(1, 5)).toEqual([
      `${file} ends at 4.00 s, and the utterance begins at 4.00 s.`,
      `${file} ends at 4.00 s, and the utterance begins at 400.00 s.`,
      `${file} ends at 4.00 s, and the utterance at 5.00 s.`,
      `${file} ends at 4.00 s, and the utterance at 4000.00 s.`,
    ])
    expect(found[5]).toContain('bad.wav: ')
    expect(found[6]).toBe(digest(LONG.slice(RATE, 2 * RATE)))
  })

  it('are other utterances when offset, duration, text or audio change', async () => {
    const keyOf = async (entry: object, audio: Float32Array = LONG) => {
      const place = await folder('nemo', {
        'long.wav': encodeWav(audio),
        'manifest.jsonl': manifest({ id: 'u', ...entry }),
      })
      return (await open(place)).dataset.keys[0]
    }
    const keys = [
      await keyOf(part(0, 1)),
      await keyOf(part(0.5, 1)),
      await keyOf(part(0, 1.5)),
      await keyOf({ ...part(0, 1), text: 'y' }),
      await keyOf(part(0, 1), noise(4, 8)),
    ]
    expect(new Set(keys).size).toBe(keys.length)
    expect(await keyOf(part(0, 1))).toBe(keys[0])
  })
})

describe('long manifests', () => {
  const LINES = 20_000

  it('are counted line by line; of recordings only those that are chosen are looked at', async () => {
    const lines = Array.from(
      { length: LINES },
      (_, i) => `{"file": "${i === 7 ? 'a' : `gone-${i}`}.wav", "text": "x"}`,
    )
    const place = await folder('long', { ...WAVS, 'manifest.jsonl': lines.join('\n') })
    const before = process.memoryUsage().heapUsed
    const { dataset, utterances } = await open(place, { selection: { sample: 'first', count: 10, seed: 1 } })
    expect(dataset).toMatchObject({ count: 10, of: LINES })
    expect(utterances.map(({ row }) => row)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(utterances.flatMap(({ path }) => path ?? [])).toEqual([join(place, 'a.wav')])
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(100e6)
  })

  it('may not have one id twice, however far apart', async () => {
    const lines = Array.from(
      { length: LINES },
      (_, i) => `{"file": "a.wav", "id": "u-${i % (LINES - 1)}", "text": "x"}`,
    )
    const place = await folder('twice', { ...WAVS, 'manifest.jsonl': lines.join('\n') })
    await expect(open(place, { selection: { sample: 'first', count: 10, seed: 1 } })).rejects.toThrow(
      `${place} lists u-0 twice.`,
    )
  })
})
