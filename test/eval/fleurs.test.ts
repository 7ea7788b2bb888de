// SPDX-License-Identifier: Apache-2.0

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { describe, expect, it } from 'vitest'
import { namedDataset } from '../../eval/dataset/named.ts'
import { openDataset } from '../../eval/dataset/open.ts'
import { LANGUAGES, languageName } from '../../eval/runtime/languages.ts'
import { BUNDLED_SPEECH } from '../../pipeline/models.ts'
import { collect } from '../helpers/collect.ts'
import { startDatasetHub } from '../helpers/dataset-hub.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { bundledRows } from '../helpers/speech-parquet.ts'

const TEXT = { type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' } as const
const LABEL = { type: 'INT64', repetition_type: 'OPTIONAL' } as const
const WHOLE = { type: 'INT32', repetition_type: 'OPTIONAL' } as const
const ALL = { sample: 'all', count: Number.POSITIVE_INFINITY, seed: 1 } as const

/**
 * Two speakers of one sentence in the columns of FLEURS; its id is that of the sentence.
 * @param more columns of text, behind
 */
async function fleursParquet(more: readonly string[] = []): Promise<Uint8Array> {
  const rows = await bundledRows(2)
  const bytes = rows.map(({ file }) => readFile(join(BUNDLED_SPEECH, file)))
  const audio = (await Promise.all(bytes)).map((data, i) => ({
    bytes: new Uint8Array(data),
    path: rows[i]?.file,
  }))
  const each = <T>(value: T) => rows.map(() => value)
  return new Uint8Array(
    parquetWriteBuffer({
      columnData: [
        { name: 'id', data: each(1675) },
        { name: 'num_samples', data: each(16_000) },
        { name: 'path', data: each('/home/nobody/test/a.wav') },
        { name: 'audio', data: audio },
        { name: 'transcription', data: each('über die straße') },
        { name: 'raw_transcription', data: each('„Über die Straße!“') },
        { name: 'gender', data: each(1n) },
        { name: 'lang_id', data: each(17n) },
        { name: 'language', data: each('German') },
        { name: 'lang_group_id', data: each(0n) },
        ...more.map((name) => ({ name, data: each('another text') })),
      ],
      schema: [
        { name: 'root', num_children: 10 + more.length },
        { name: 'id', ...WHOLE },
        { name: 'num_samples', ...WHOLE },
        { name: 'path', ...TEXT },
        { name: 'audio', num_children: 2, repetition_type: 'OPTIONAL' },
        { name: 'bytes', type: 'BYTE_ARRAY', repetition_type: 'OPTIONAL' },
        { name: 'path', ...TEXT },
        { name: 'transcription', ...TEXT },
        { name: 'raw_transcription', ...TEXT },
        { name: 'gender', ...LABEL },
        { name: 'lang_id', ...LABEL },
        { name: 'language', ...TEXT },
        { name: 'lang_group_id', ...LABEL },
        ...more.map((name) => ({ name, ...TEXT })),
      ],
    }),
  )
}

describe('fleurs-de', () => {
  it("opens the hub's conversion with the columns, the language and the normalizer of its row", async () => {
    const files = new Map([
      ['data/de_de/audio/test.tar.gz', Buffer.from('not parquet')],
      ['converted/de_de/test/0000.parquet', await fleursParquet()],
    ])
    const hub = await startDatasetHub({ repo: 'google/fleurs', files })
    const options = { endpoint: hub.url, cache: await temporaryFolder(), selection: ALL }
    const dataset = await openDataset('fleurs-de', options)
    expect(dataset).toMatchObject({ name: 'fleurs-de', language: 'de', normalizer: 'whisper-basic', of: 2 })
    const place = { repo: 'google/fleurs', config: 'de_de', split: 'test' }
    const columns = { audio_column: 'audio', text_column: 'transcription' }
    expect(dataset.source).toMatchObject({ ...place, ...columns })
    const heard = await collect(dataset)
    expect(heard.map(({ id, text }) => ({ id, text }))).toEqual([
      { id: '1675', text: 'über die straße' },
      { id: '1675 row-1', text: 'über die straße' },
    ])
    const [first] = await bundledRows(1)
    const recording = await readFile(join(BUNDLED_SPEECH, first?.file ?? ''))
    expect((await readFile(heard[0]?.path ?? '')).equals(recording)).toBe(true)

    const written = await openDataset('fleurs-de', { ...options, textColumn: 'raw_transcription' })
    expect((await collect(written)).map(({ text }) => text)).toEqual(Array(2).fill('„Über die Straße!“'))
  })

  it('takes the column of its row, whatever others there are', async () => {
    const files = new Map([
      ['README.md', Buffer.from('# FLEURS')],
      ['converted/de_de/test/0000.parquet', await fleursParquet(['text', 'sentence'])],
    ])
    const hub = await startDatasetHub({ repo: 'google/fleurs', files })
    const options = { endpoint: hub.url, cache: await temporaryFolder(), selection: ALL }
    const texts = (await collect(await openDataset('fleurs-de', options))).map(({ text }) => text)
    expect(texts).toEqual(Array(2).fill('über die straße'))
    const found = await collect(await openDataset('hub:google/fleurs/de_de/test', options))
    expect(found.map(({ text }) => text)).toEqual(Array(2).fill('another text'))
  })

  it('has a row for each language of the model, whose config is of that language', () => {
    for (const [code, name] of Object.entries(LANGUAGES)) {
      const { language, config = '', normalizer } = namedDataset(`fleurs-${code}`) ?? {}
      expect(language).toBe(code)
      expect(languageName(config.replace('es_419', 'es'))).toBe(name)
      expect(normalizer).toBe(code === 'en' ? 'whisper-english' : 'whisper-basic')
    }
  })
})
