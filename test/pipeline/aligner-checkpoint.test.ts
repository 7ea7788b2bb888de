// SPDX-License-Identifier: Apache-2.0

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Checkpoint, familyOf, readCheckpoint } from '../../pipeline/checkpoint/checkpoint.ts'
import { resolveSource } from '../../pipeline/checkpoint/checkpoint-source.ts'
import { Failure } from '../../pipeline/shared/failure.ts'
import { editHeader, editJson, TINY } from '../helpers/checkpoint.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { makeRandomAligner } from '../helpers/random-aligner.ts'

type Json = Record<string, unknown>

/** The bytes of each tensor by its native name. */
async function bytesOf({ folder, tensors }: Checkpoint): Promise<Map<string, string>> {
  const bytes = await readFile(join(folder, 'model.safetensors'))
  return new Map(
    Object.entries(tensors).map(([name, { start, end }]) => [
      name,
      bytes.subarray(start, end).toString('base64'),
    ]),
  )
}

async function refusalOf(
  change: (folder: string) => Promise<void>,
  format: 'native' | 'original' = 'native',
) {
  const folder = await makeRandomAligner(await temporaryFolder(), format)
  await change(folder)
  const error = await readCheckpoint(folder).then(
    () => undefined,
    (thrown) => thrown,
  )
  if (!(error instanceof Failure)) throw error ?? new Error('It was read.')
  return error.message.replaceAll(folder, 'FOLDER')
}

const inConfig = (change: (config: Json) => Json) => (folder: string) =>
  editJson(folder, 'config.json', (config) => ({ ...config, ...change(config) }))

describe('checkpoints of forced aligners', () => {
  it('are read in both formats as the same tensors', async () => {
    const folder = await temporaryFolder()
    const native = await readCheckpoint(await makeRandomAligner(folder))
    const original = await readCheckpoint(await makeRandomAligner(folder, 'original'))
    const wanted = {
      classes: 252,
      segment_ms: 80,
      timestamp_token_id: 448,
      languages: [
        ...['Cantonese', 'Chinese', 'English', 'French', 'German', 'Italian'],
        ...['Japanese', 'Korean', 'Portuguese', 'Russian', 'Spanish'],
      ],
    }
    expect(native).toMatchObject({ format: 'native', aligner: wanted })
    expect(original).toMatchObject({ format: 'original', aligner: wanted })
    expect([native, original].map(familyOf)).toEqual(['aligner', 'aligner'])
    expect(native.tensors['score.weight']?.shape).toEqual([252, 128])
    expect(Object.keys(native.tensors)).not.toContain('lm_head.weight')
    expect(native.text_config).toMatchObject({ vocab_size: 449, tie_word_embeddings: false })
    expect(await bytesOf(original)).toEqual(await bytesOf(native))
  })

  it('are distinguished from those of speech recognition', async () => {
    const tiny = await readCheckpoint(TINY)
    expect(familyOf(tiny)).toBe('asr')
    expect(Object.keys(tiny)).not.toContain('aligner')
  })

  it('may say the length of a segment and the languages themselves', async () => {
    const folder = await temporaryFolder()
    const native = await makeRandomAligner(folder)
    await writeFile(join(native, 'processor_config.json'), JSON.stringify({ timestamp_segment_time: 40 }))
    expect((await readCheckpoint(native)).aligner?.segment_ms).toBe(40)
    const original = await makeRandomAligner(folder, 'original')
    await editJson(original, 'config.json', (config) => ({
      ...config,
      support_languages: ['Klingon', 'German', 'English'],
      timestamp_segment_time: 20,
    }))
    expect((await readCheckpoint(original)).aligner).toMatchObject({
      segment_ms: 20,
      languages: ['English', 'German'],
    })
  })

  it('may be named by model_type or by classes alone, outside and inside', async () => {
    const folder = await makeRandomAligner(await temporaryFolder(), 'original')
    for (const change of [
      { model_type: 'qwen3_forced_aligner', thinker: { model_type: undefined } },
      { model_type: 'qwen3_asr', thinker: { model_type: 'qwen3_forced_aligner' } },
      { model_type: 'qwen3_asr', thinker: { model_type: undefined } },
    ]) {
      await editJson(folder, 'config.json', (config) => ({
        ...config,
        model_type: change.model_type,
        thinker_config: { ...(config['thinker_config'] as Json), ...change.thinker },
      }))
      expect(familyOf(await readCheckpoint(folder))).toBe('aligner')
    }
  })

  it('are refused by the key that is wrong', async () => {
    const cases: [(folder: string) => Promise<void>, string][] = [
      [
        inConfig(() => ({ id2label: undefined })),
        'config.json: num_labels is missing, wanted the number of classes of a slot.',
      ],
      [
        inConfig(() => ({ id2label: {} })),
        'config.json: num_labels is 0, wanted the number of classes of a slot.',
      ],
      [
        inConfig(() => ({ id2label: undefined, num_labels: 1 })),
        'config.json: num_labels is 1, wanted a whole number from 2 to 1048576.',
      ],
      [
        inConfig(() => ({ id2label: undefined, num_labels: 250 })),
        'config.json and the weights contradict each other: score.weight is [252, 128], the config requires [250, 128].',
      ],
      [
        inConfig(() => ({ timestamp_token_id: undefined })),
        'config.json: timestamp_token_id is missing, wanted an id below 449, the size of the vocabulary.',
      ],
      [
        inConfig(() => ({ timestamp_token_id: 449 })),
        'config.json: timestamp_token_id is 449, wanted an id below 449, the size of the vocabulary.',
      ],
      [
        inConfig(() => ({ timestamp_token_id: 447 })),
        "config.json: timestamp_token_id is 447, wanted 448, the tokenizer's id of <timestamp>.",
      ],
      [
        (folder) =>
          editJson(folder, 'tokenizer.json', (tokenizer) => ({
            ...tokenizer,
            added_tokens: (tokenizer['added_tokens'] as object[]).slice(0, -1),
          })),
        'The tokenizer in FOLDER lacks <timestamp>: it is not a Qwen3-ASR tokenizer.',
      ],
      [
        (folder) =>
          editHeader(join(folder, 'model.safetensors'), ({ 'score.weight': score, ...header }) => ({
            ...header,
            'score.bias': score,
          })),
        'The checkpoint has no tensor score.weight, which its config.json requires.',
      ],
    ]
    for (const [change, message] of cases) expect(await refusalOf(change)).toBe(message)
    const noClasses = (config: Json) => ({
      thinker_config: { ...(config['thinker_config'] as Json), classify_num: undefined },
    })
    expect(await refusalOf(inConfig(noClasses), 'original')).toBe(
      'config.json: thinker_config.classify_num is missing, wanted the number of classes of a slot.',
    )
  })

  it('are known by name', async () => {
    const source = await resolveSource('aligner')
    expect(source).toMatchObject({
      name: 'qwen3-forced-aligner-0.6b',
      base: 'Qwen/Qwen3-ForcedAligner-0.6B',
      place: { repo: 'Qwen/Qwen3-ForcedAligner-0.6B', revision: 'main' },
    })
  })
})
