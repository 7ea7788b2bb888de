// SPDX-License-Identifier: Apache-2.0

import { cp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import type { ReleaseConfigFile } from '../../eval/runtime/config-schema.ts'
import { releaseProblems } from '../../pipeline/release/contract-problems.ts'
import { TINY } from '../helpers/checkpoint.ts'
import { tinyConfig } from '../helpers/config.ts'
import { temporaryFolder } from '../helpers/folder.ts'

describe('the JSON files of a release', () => {
  let folder = ''

  beforeEach(async () => {
    folder = await temporaryFolder()
    for (const name of ['tokenizer.json', 'tokenizer_config.json'])
      await cp(join(TINY, name), join(folder, name))
    await writeFile(join(folder, 'config.json'), JSON.stringify(await tinyConfig()))
    await writeFile(join(folder, 'preprocessor_config.json'), '{"n_fft": 400, "sampling_rate": 16000}')
  })

  const problems = async () => {
    const found = await releaseProblems(folder)
    return found.filter((problem) => problem !== `${folder} holds no ONNX file.`)
  }

  const withIds = async (edit: (ids: ReleaseConfigFile['special_tokens']) => object) => {
    const config = await tinyConfig()
    const changed = { ...config, special_tokens: edit(config.special_tokens) }
    await writeFile(join(folder, 'config.json'), JSON.stringify(changed))
    return problems()
  }

  it('have no problem as they are written', async () => {
    expect(await problems()).toEqual([])
  })

  it('name the ids of the tokenizer, each that is wrong', async () => {
    const wrong = await withIds((ids) => ({
      ...ids,
      eos_token_ids: [441],
      pad_token_id: 0,
      asr_text_token_id: '447',
    }))
    expect(wrong).toEqual([
      'config.json: special_tokens.asr_text_token_id is "447", wanted a whole number from 0 to 16777216.',
      'config.json: special_tokens.pad_token_id is 0, wanted 441, the id of <|endoftext|> in tokenizer.json.',
      'config.json: special_tokens.eos_token_ids is [441], wanted 443 in it, the id of <|im_end|>.',
    ])
    const { pad_token_id: _, ...others } = (await tinyConfig()).special_tokens
    expect(await withIds(() => others)).toEqual([
      'config.json: special_tokens.pad_token_id is missing, wanted a whole number from 0 to 16777216.',
    ])
    expect(await withIds((ids) => [ids])).toEqual([
      expect.stringMatching(/^config\.json: special_tokens is \[.*, wanted an object\.$/),
    ])
  })

  it.each<[string, string, string]>([
    ['preprocessor_config.json', '{"n_fft": 512}', 'preprocessor_config.json: n_fft is 512, wanted 400.'],
    ['preprocessor_config.json', '[]', 'FOLDER/preprocessor_config.json holds [], wanted an object.'],
    ['config.json', '{', 'FOLDER/config.json is not valid JSON (line 1, column 2).'],
    ['tokenizer.json', '{"model": []}', 'tokenizer.json: model is [], wanted an object.'],
    [
      'tokenizer_config.json',
      '{"remove_space": 1}',
      'tokenizer_config.json: remove_space is 1, wanted true or false.',
    ],
  ])('%s with %s', async (name, text, problem) => {
    await writeFile(join(folder, name), text)
    expect(await problems()).toEqual([problem.replace('FOLDER', folder)])
  })

  it('are all there', async () => {
    await rm(join(folder, 'tokenizer_config.json'))
    expect(await problems()).toEqual(['tokenizer_config.json is missing: every archive holds it.'])
  })
})
