// SPDX-License-Identifier: Apache-2.0

import { readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { beforeEach, describe, expect, it } from 'vitest'
import { loadClip } from '../../eval/runtime/audio/clip.ts'
import { encodeWav } from '../../eval/runtime/audio/wav.ts'
import { digest, folder, freshRoot, heard, noise, open, WAVS } from '../helpers/recordings.ts'

beforeEach(freshRoot)

describe('layouts of folders', () => {
  it.each<[string, Readonly<Record<string, string>>]>([
    [
      'NeMo',
      {
        'manifest.jsonl':
          '{"audio_filepath": "a.wav", "text": "one"}\n{"audio_filepath": "b.wav", "text": "two"}',
      },
    ],
    [
      'NeMo, by another name',
      {
        'test_manifest.json':
          '{"audio_filepath": "a.wav", "text": "one"}\r\n{"audio_filepath": "b.wav", "text": "two"}\r\n',
      },
    ],
    [
      'lines that end in CR',
      { 'manifest.jsonl': '{"file": "a.wav", "text": "one"}\r{"file": "b.wav", "text": "two"}' },
    ],
    ['AudioFolder', { 'metadata.csv': 'file_name,transcription\na.wav,one\nb.wav,two\n' }],
    [
      'AudioFolder as JSON',
      { 'metadata.jsonl': '{"file_name": "a.wav", "text": "one"}\n{"file_name": "b.wav", "text": "two"}' },
    ],
    ['semicolons', { 'manifest.csv': 'file;text\na.wav;one\nb.wav;two\n' }],
    ['semicolons in a comma-rich text', { 'manifest.csv': 'file;text\na.wav;one\nb.wav;two\n' }],
    ['bars', { 'manifest.csv': 'wav|text\na.wav|one\nb.wav|two\n' }],
    ['tabs in a CSV', { 'manifest.csv': 'path\tsentence\na.wav\tone\nb.wav\ttwo\n' }],
    ['tabs', { 'manifest.tsv': 'client_id\tpath\tsentence\n1\ta.wav\tone\n1\tb.wav\ttwo\n' }],
    ['capitals and spaces in the header', { 'manifest.csv': ' Path , Sentence \na.wav,one\nb.wav,two\n' }],
    ['a byte order mark', { 'manifest.csv': '\ufefffile,text\r\na.wav,one\r\nb.wav,two\r\n' }],
    ['the only table', { 'validated.tsv': 'path\tsentence\na.wav\tone\nb.wav\ttwo\n' }],
  ])('reads %s', async (_name, files) => {
    const place = await folder('data', { ...WAVS, ...files })
    expect(await heard(place)).toEqual(['a.wav: one', 'b.wav: two'])
  })

  it('reads a text beside each recording, whatever its encoding', async () => {
    const place = await folder('data', {
      ...{ ...WAVS, 'c.wav': '', 'a.txt': ' one \n', 'b.TXT': Buffer.from('\ufeffzwölf', 'utf16le') },
      'notes.csv': 'not,a,manifest',
    })
    expect(await heard(place)).toEqual(['a.wav: one', 'b.wav: zwölf'])
    expect((await open(place)).dataset).toMatchObject({ count: 2, of: 2, leftOut: 1 })
  })

  it('reads recordings in folders below, by AudioFolder and by their own metadata', async () => {
    const files = { 'en/a.wav': '', 'de/a.wav': '' }
    const top = await folder('top', {
      ...files,
      'metadata.csv': 'file_name,text\nen/a.wav,one\nde/a.wav,eins\n',
    })
    expect(await heard(top)).toEqual(['en/a.wav: one', 'de/a.wav: eins'])
    const below = await folder('below', {
      ...files,
      'en/metadata.csv': 'file_name,text\na.wav,one\n',
      'de/metadata.jsonl': '{"file_name":"a.wav","text":"eins"}',
    })
    expect(await heard(below)).toEqual(['de/a.wav: eins', 'en/a.wav: one'])
    const splits = await folder('splits', {
      'train/metadata.csv': 'file_name,text\n',
      'test/metadata.csv': 'file_name,text\n',
    })
    await expect(open(splits)).rejects.toThrow(`${splits} holds the splits test, train.`)
  })

  it("reads LibriSpeech's tree, links included, with readers as speakers", async () => {
    const place = await folder('libri', {
      'test-clean/61/70968/61-70968-0000.wav': '',
      'test-clean/61/70968/61-70968-0001.wav': '',
      'test-clean/61/70968/61-70968.trans.txt':
        '61-70968-0000 HE BEGAN A CONFUSED COMPLAINT\n61-70968-0001 GIVE NOT\n',
      'test-clean/121/1/121-1.trans.txt': '121-1-0000 ALSO\n',
      'test-clean/121/1/121-1-0000.wav': '',
      'README.TXT': 'about',
    })
    await symlink(place, join(place, 'test-clean', 'loop'))
    const { utterances } = await open(place)
    expect(utterances.map(({ id, text, speaker }) => `${id} ${speaker} ${text}`)).toEqual([
      '121-1-0000 121 ALSO',
      '61-70968-0000 61 HE BEGAN A CONFUSED COMPLAINT',
      '61-70968-0001 61 GIVE NOT',
    ])
  })

  it('reads a Kaldi data directory with segments and speakers', async () => {
    const place = await folder('kaldi', {
      'long.wav': encodeWav(noise(3)),
      'wav.scp': 'rec1 long.wav\nrec2 gone.wav\n',
      segments: 'u1 rec1 0.25 1.5\nu2 rec1 1.5 -1\nu3 rec2 0 1\nu5 rec1 2 2.5\n',
      text: 'u1 one two\nu2\tthree\nu3 gone\nu4 nowhere\n',
      utt2spk: 'u1 anna\nu2 ben\n',
    })
    const { dataset, utterances } = await open(place)
    expect(utterances.map(({ id, text, speaker, problem }) => [id, text, speaker, problem])).toEqual([
      ['u1', 'one two', 'anna', undefined],
      ['u2', 'three', 'ben', undefined],
      ['u3', 'gone', undefined, `${join(place, 'gone.wav')} does not exist.`],
      ['u4', 'nowhere', undefined, `${join(place, 'segments has no u4')}.`],
    ])
    expect(dataset.leftOut).toBe(1) // u5
    const long = await loadClip(join(place, 'long.wav'))
    const parts = await Promise.all(utterances.slice(0, 2).map(({ path }) => loadClip(path ?? '')))
    expect(digest(parts[0]?.samples)).toBe(digest(long.samples.slice(4000, 24_000)))
    expect(digest(parts[1]?.samples)).toBe(digest(long.samples.slice(24_000)))
  })

  it('takes composed and decomposed ids of Kaldi for the same', async () => {
    const place = await folder('kaldi', {
      ...WAVS,
      'wav.scp': 'r\u00e9c a.wav\n',
      segments: 'u\u0308 re\u0301c 0.1 0.3\n',
      text: '\u00fc one\n',
      utt2spk: 'u\u0308 anna\n',
    })
    const { utterances } = await open(place)
    expect(utterances.map(({ id, speaker, problem }) => [id, speaker, problem])).toEqual([
      ['\u00fc', 'anna', undefined],
    ])
  })

  it('takes file URLs for the files of this machine', async () => {
    const place = await folder('data', { 'a b.wav': '' })
    const url = pathToFileURL(join(place, 'a b.wav')).href
    const lines = [url, 'file://elsewhere.invalid/a.wav'].map((file) => JSON.stringify({ file, text: 'one' }))
    await writeFile(join(place, 'manifest.jsonl'), lines.join('\n'))
    expect(await heard(place)).toEqual([
      `${url}: one`,
      expect.stringMatching(/ one \(file:\/\/elsewhere\.invalid\/a\.wav is an address/),
    ])
  })

  it.each(['touch RAN |', 'cat a.wav | sox -t wav - -t wav - |', '| cat', '-'])(
    'refuses the command %j of a Kaldi directory and does not run it',
    async (command) => {
      const place = await folder('kaldi', {
        ...WAVS,
        'wav.scp': `a a.wav\nb ${command}\n`,
        text: 'a one\nb two\n',
      })
      await expect(open(place)).rejects.toThrow(
        `${join(place, 'wav.scp')}, line 2 names a command ("${command}"), and commands of a dataset are not run.`,
      )
      await expect(readFile(join(place, 'RAN'))).rejects.toThrow('ENOENT')
    },
  )

  it.each([
    [
      'segments',
      'u1 rec1 2 1',
      'segments, line 1 is "rec1 2 1", wanted a recording, its start and its end in seconds.',
    ],
    ['segments', 'u1 rec1 x 1', 'segments, line 1 is "rec1 x 1"'],
    ['segments', 'u1 rec1 0 1\nu1 rec1 1 2', 'segments, line 2 lists u1 a second time.'],
    ['wav.scp', 'rec1', 'wav.scp, line 1 names no file.'],
  ])('refuses a Kaldi file %s of %j', async (file, content, message) => {
    const place = await folder('kaldi', {
      ...WAVS,
      'wav.scp': 'rec1 a.wav',
      segments: 'u1 rec1 0 1',
      text: 'u1 one',
      [file]: content,
    })
    await expect(open(place)).rejects.toThrow(message)
  })

  it('takes a manifest by its path, and does not choose among several', async () => {
    const place = await folder('cv', {
      'clips/a.wav': '',
      'test.tsv': 'path\tsentence\na.wav\tone',
      'dev.tsv': 'path\tsentence\na.wav\ttwo',
    })
    await expect(open(place)).rejects.toThrow(`${place} holds dev.tsv, test.tsv.`)
    expect(await heard(join(place, 'test.tsv'))).toEqual(['a.wav: one'])
    expect((await open(join(place, 'dev.tsv'))).dataset.name).toBe('dev')
    await expect(open(join(place, 'clips/a.wav'))).rejects.toThrow('a.wav is not a folder.')
    const parts = await folder('parts', { 'data/test-0.parquet': 'x', 'data/test-1.parquet': 'x' })
    await expect(open(parts)).rejects.toMatchObject({
      message: `${parts} lists no recording with a transcript, but holds parquet files.`,
      hint: `Give one of them by its path: ${join(parts, 'data/test-0.parquet')}`,
    })
  })
})

describe('tables', () => {
  it('reads quotes, line ends in them, and delimiters in them', async () => {
    const place = await folder('data', {
      ...WAVS,
      'manifest.csv': 'file,text,note\r\na.wav,"say ""no"", then\r\ngo",\r\n\r\n "b.wav" , "two" ,x\r\n',
    })
    expect(await heard(place)).toEqual(['a.wav: say "no", then\ngo', 'b.wav: two'])
  })

  it('takes quotes between tabs as they are, as Common Voice writes them', async () => {
    const place = await folder('data', {
      ...WAVS,
      'c.wav': '',
      'manifest.tsv': 'path\tsentence\na.wav\t"Hello," she said.\nb.wav\tHe said "no\nc.wav\t"say ""no"""\n',
    })
    expect(await heard(place)).toEqual(['a.wav: "Hello," she said.', 'b.wav: He said "no', 'c.wav: say "no"'])
  })

  it.each([
    ['file,text\na.wav,Hello, world\n', 'manifest.csv, line 2 has 3 fields, wanted 2 as the header has.'],
    ['file,text\n\na.wav\n', 'manifest.csv, line 3 has 1 field, wanted 2'],
    [
      'file,text\na.wav,"one\nb.wav,two\n',
      'manifest.csv, line 2 is not valid CSV: a double quote is not closed',
    ],
    ['file,text\na.wav,5" disk\nb.wav,6" disk\n', 'manifest.csv, line 2 is not valid CSV'],
    ['file,text\na.wav,"one"two\n', 'manifest.csv, line 2 is not valid CSV'],
    [
      'recording;words\na.wav;one',
      /manifest\.csv has no column audio or file or path .* for audio; it has recording, words\./,
    ],
    [
      'file;words\na.wav;one',
      /manifest\.csv has no column text or sentence .* for text; it has file, words\./,
    ],
    ['file,text,text\na.wav,one,two\n', 'manifest.csv has two columns named text.'],
    [',recording\n0,a.wav\n', /manifest\.csv has no column audio .* it has \(no name\), recording\./],
    ['', 'data lists no recording.'],
  ])('refuses %j', async (content, message) => {
    const place = await folder('data', { ...WAVS, 'manifest.csv': content })
    await expect(open(place)).rejects.toThrow(message)
  })

  it('takes a column without a name, such as the index of pandas, for nothing', async () => {
    const place = await folder('data', {
      ...WAVS,
      'manifest.csv': ',file,text\n0,a.wav,one\n1,b.wav,two\n',
    })
    const { utterances } = await open(place)
    expect(utterances.map(({ id, path, speaker }) => [id, path, speaker])).toEqual(
      ['a.wav', 'b.wav'].map((name) => [name, join(place, name), undefined]),
    )
  })

  it('takes the column whose name is written as the usual ones before others', async () => {
    const place = await folder('data', { ...WAVS, 'manifest.csv': 'file,text,Text\na.wav,one,wrong\n' })
    expect(await heard(place)).toEqual(['a.wav: one'])
  })

  it('says what the first line is for when it is not a header', async () => {
    const place = await folder('data', { ...WAVS, 'manifest.csv': 'a.wav,one\nb.wav,two\n' })
    await expect(open(place)).rejects.toMatchObject({
      message: expect.stringMatching(/it has a\.wav, one\.$/),
      hint: 'The first line must name the columns, such as file,text. Name one with --audio-column.',
    })
  })

  it('takes columns by the names that are given', async () => {
    const place = await folder('data', { ...WAVS, 'manifest.csv': 'recording,words,text\na.wav,one,wrong\n' })
    expect(await heard(place, { audioColumn: 'recording', textColumn: 'words' })).toEqual(['a.wav: one'])
    const json = await folder('json', {
      ...WAVS,
      'manifest.jsonl': '{"file":"a.wav","text":{"en":"one","de":"eins"}}',
    })
    expect(await heard(json, { textColumn: 'text.de' })).toEqual(['a.wav: eins'])
    await expect(open(place, { audioColumn: 'recording', textColumn: 'wrods' })).rejects.toThrow(
      'has no column wrods for text; it has recording, words, text.',
    )
  })
})

describe('manifests of JSON lines', () => {
  it.each([
    ['{"file": "a.wav", "text": "one"', 'line 1 is not valid JSON.'],
    ['[{"file": "a.wav", "text": "one"}]', 'line 1 is a list, wanted an object.'],
    ['{\n"file": "a.wav"\n}', 'line 1 is not valid JSON.'],
    ['"a.wav"', 'line 1 is a string (a.wav), wanted an object.'],
    ['{"file": "a.wav", "text": {"en": "one"}}', 'line 1: the text is an object of en, wanted a string.'],
    ['{"file": "a.wav", "text": ["one"]}', 'line 1: the text is a list, wanted a string.'],
    ['{"file": "a.wav", "text": true}', 'line 1: the text is a boolean (true), wanted a string.'],
    [
      '{"file": "a.wav", "text": 12345678901234567890}',
      'line 1: the text is a number of more than 15 digits',
    ],
    ['{"file": ["a.wav"], "text": "one"}', 'line 1: "file" is a list, wanted the name of a recording.'],
    ['{"name": "a.wav", "text": "one"}', /line 1 has no column audio or .* for audio; it has name, text\./],
    ['{"file": "a.wav", "offset": -1, "text": "one"}', 'line 1: "offset" is -1, wanted at least 0 seconds.'],
    [
      '{"file": "a.wav", "offset": "x", "text": "one"}',
      'line 1: "offset" is a string (x), wanted a number of seconds.',
    ],
    [
      '{"file": "a.wav", "duration": {}, "text": "one"}',
      'line 1: "duration" is an object of nothing, wanted',
    ],
  ])('refuses %j', async (line, message) => {
    const place = await folder('data', { ...WAVS, 'manifest.jsonl': line })
    await expect(open(place)).rejects.toThrow(message)
  })

  it.each([
    ['[\n{"file": "a.wav"}\n]', "jq -c '.[]'"],
    ['{\n"file": "a.wav"\n}', 'jq -c . OLD'],
  ])('says how JSON over several lines is put into one: %j', async (content, hint) => {
    const place = await folder('data', { ...WAVS, 'manifest.json': content })
    await expect(open(place)).rejects.toMatchObject({ hint: expect.stringContaining(hint) })
  })

  it.each([false, true])('refuses a column of texts that no line has, keepEmpty %s', async (keepEmpty) => {
    const place = await folder('data', { ...WAVS, 'manifest.jsonl': '{"file": "a.wav", "text": "one"}' })
    await expect(open(place, { textColumn: 'words', keepEmpty })).rejects.toThrow(
      'manifest.jsonl has no column words for text; it has file, text.',
    )
    const table = await folder('table', { ...WAVS, 'manifest.csv': 'file,text\na.wav,one' })
    await expect(open(table, { textColumn: 'words', keepEmpty })).rejects.toThrow(
      'manifest.csv has no column words for text; it has file, text.',
    )
  })

  it('takes numbers for texts, and the path of an audio object', async () => {
    const place = await folder('data', {
      ...WAVS,
      'manifest.jsonl':
        '{"audio": {"path": "a.wav", "sampling_rate": 16000}, "text": 17, "speaker": {"x": 1}}',
    })
    expect(await heard(place)).toEqual(['a.wav: 17'])
  })
})

describe('references that are empty', () => {
  const FOLDERS = {
    'manifest.jsonl': [
      '{"file": "a.wav", "id": "null", "text": null}',
      '{"file": "a.wav", "id": "empty", "text": ""}',
      '{"file": "a.wav", "id": "spaces", "text": " \\t\u00a0\u200b "}',
      '{"file": "a.wav", "id": "missing"}',
      '{"file": "b.wav", "id": "full", "text": "two"}',
    ].join('\n'),
    'manifest.csv':
      'file,id,text\na.wav,null,\na.wav,empty,""\na.wav,spaces,"   "\na.wav,missing,\u3000\nb.wav,full,two\n',
    'manifest.tsv':
      'file\tid\ttext\na.wav\tnull\t\na.wav\tempty\t""\na.wav\tspaces\t  \na.wav\tmissing\t\u3000\nb.wav\tfull\ttwo\n',
  }

  it.each(Object.entries(FOLDERS))('are left out of %s and counted, or kept', async (name, content) => {
    const place = await folder('data', { ...WAVS, [name]: content })
    const { dataset, utterances } = await open(place)
    expect(utterances.map(({ id, row }) => [id, row])).toEqual([['full', 0]])
    expect(dataset).toMatchObject({ count: 1, of: 1, leftOut: 4 })
    const kept = await open(place, { keepEmpty: true })
    expect(kept.utterances.map(({ id }) => id)).toEqual(['null', 'empty', 'spaces', 'missing', 'full'])
    expect(kept.utterances.map(({ text }) => text.trim().replace('\u200b', ''))).toEqual([
      '',
      '',
      '',
      '',
      'two',
    ])
    expect(kept.dataset).toMatchObject({ count: 5, of: 5, leftOut: 0 })
  })

  it('may be all that there is only when they are kept', async () => {
    const place = await folder('noise', { ...WAVS, 'manifest.jsonl': '{"file": "a.wav"}\n{"file": "b.wav"}' })
    await expect(open(place)).rejects.toThrow(/manifest\.jsonl has no column text .* it has file\./)
    const blank = await folder('blank', { ...WAVS, 'manifest.jsonl': '{"file": "a.wav", "text": null}' })
    await expect(open(blank)).rejects.toThrow(`${blank} lists no recording with a transcript, and 1 without.`)
    expect(await heard(place, { keepEmpty: true })).toEqual(['a.wav: ', 'b.wav: '])
    const table = await folder('table', { ...WAVS, 'manifest.csv': 'file\na.wav\nb.wav' })
    expect(await heard(table, { keepEmpty: true })).toEqual(['a.wav: ', 'b.wav: '])
  })
})
