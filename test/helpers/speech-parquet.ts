// SPDX-License-Identifier: Apache-2.0

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { BUNDLED_SPEECH } from '../../pipeline/models.ts'

export interface BundledRow {
  readonly id: string
  readonly file: string
  readonly text: string
  readonly speaker: string
}

/** The bundled recordings that a test takes, as the manifest lists them. */
export async function bundledRows(count: number): Promise<BundledRow[]> {
  const lines = (await readFile(join(BUNDLED_SPEECH, 'manifest.jsonl'), 'utf8')).trim().split('\n')
  return lines.slice(0, count).map((line) => JSON.parse(line))
}

/** Bundled recordings ('' for a row without audio) as parquet in LibriSpeech's layout: file, audio {bytes, path}, text, speaker_id, chapter_id, id. */
export async function speechParquet(rows: readonly BundledRow[], rowGroupSize: number): Promise<Uint8Array> {
  const audio = await Promise.all(
    rows.map(async ({ file }) => {
      const bytes = file === '' ? null : new Uint8Array(await readFile(join(BUNDLED_SPEECH, file)))
      return { bytes, path: file }
    }),
  )
  return new Uint8Array(
    parquetWriteBuffer({
      rowGroupSize,
      columnData: [
        { name: 'file', data: rows.map(({ file }) => file) },
        { name: 'audio', data: audio },
        { name: 'text', data: rows.map(({ text }) => text) },
        { name: 'speaker_id', data: rows.map((_, i) => BigInt(100 + (i % 7))) },
        { name: 'chapter_id', data: rows.map(() => 1n) },
        { name: 'id', data: rows.map(({ id }) => id) },
      ],
      schema: [
        { name: 'root', num_children: 6 },
        { name: 'file', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
        { name: 'audio', num_children: 2, repetition_type: 'OPTIONAL' },
        { name: 'bytes', type: 'BYTE_ARRAY', repetition_type: 'OPTIONAL' },
        { name: 'path', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
        { name: 'text', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
        { name: 'speaker_id', type: 'INT64', repetition_type: 'OPTIONAL' },
        { name: 'chapter_id', type: 'INT64', repetition_type: 'OPTIONAL' },
        { name: 'id', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
      ],
    }),
  )
}
