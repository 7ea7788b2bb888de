// SPDX-License-Identifier: Apache-2.0

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'
import { describe, expect, it } from 'vitest'
import { configProblems, RELEASE_CONFIG, type ReleaseConfigFile } from '../../eval/runtime/config-schema.ts'
import { readReleaseConfig } from '../../eval/runtime/release-config.ts'
import { tinyConfig } from '../helpers/config.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { mutantsOf } from '../helpers/mutants.ts'

/** Keys that a release may lack. */
const OPTIONAL =
  /^encoder\.window_frames$|^decoder\.fused(\.quicker_prompts)?$|^decoder\.fused\.(inputs|outputs)\.[^.]*$|^quantization\.\w+$/
/** Keys of maps, whose names have dots. */
const isOptional = (path: string) => OPTIONAL.test(path.replaceAll('.{i}.', '_i_'))

/** Keys that the runtime relies on; the last part may be missing. */
const RELIED_ON = [
  ...['model_type', 'embed_tokens_dtype', 'embed_tokens_shape', 'embed_tokens_shape.0'],
  ...[
    'decoder',
    'decoder.num_layers',
    'decoder.hidden_size',
    'decoder.num_key_value_heads',
    'decoder.head_dim',
  ],
  ...['special_tokens', 'special_tokens.eos_token_ids', 'special_tokens.eos_token_ids.0'],
]
const IF_THERE = ['encoder', 'encoder.window_frames', 'quantization', 'quantization.encoder']

describe('config.json', () => {
  it('is described key for key, in the order in which it is written', async () => {
    const config = await tinyConfig()
    expect(configProblems(config)).toEqual([])
    expect(JSON.stringify(v.parse(RELEASE_CONFIG, config))).toBe(JSON.stringify(config))
  })

  it('is not a release with any key missing or of another type, and the problem names the key', async () => {
    const mutants = mutantsOf(await tinyConfig())
    expect(mutants.length).toBeGreaterThan(500)
    for (const { path, found, value } of mutants) {
      const problems = configProblems(JSON.parse(JSON.stringify(value)))
      const named = problems.filter((problem) => problem.startsWith(`config.json: ${path} is `))
      const wanted = found === undefined && isOptional(path) ? 0 : 1
      expect(named.length, `${path} ${JSON.stringify(found)}: ${problems.join(' ')}`).toBe(wanted)
    }
  })

  it('can be read unless a key that the runtime relies on is missing or of another type', async () => {
    const folder = await temporaryFolder()
    for (const { path, found, value } of mutantsOf(await tinyConfig())) {
      await writeFile(join(folder, 'config.json'), JSON.stringify(value))
      const reading = readReleaseConfig(folder)
      const what = `${path} ${JSON.stringify(found)}`
      if (RELIED_ON.includes(path) || (IF_THERE.includes(path) && found !== undefined))
        await expect(reading, what).rejects.toThrow(/config\.json(: | describes )/)
      else expect((await reading).vocabSize, what).toBe(448)
    }
  })

  it.each<[string, (config: ReleaseConfigFile) => object, string]>([
    [
      'another type',
      (config) => ({ ...config, mel: { ...config.mel, n_fft: 512 } }),
      'config.json: mel.n_fft is 512, wanted 400.',
    ],
    [
      'a missing key in a map',
      ({ decoder, ...config }) => ({
        ...config,
        decoder: {
          ...decoder,
          fused: { ...decoder.fused, outputs: { logits: { type: 'float32', shape: [] } } },
        },
      }),
      'config.json: decoder.fused.outputs.logits.about is missing, wanted a string.',
    ],
    ['an array', ({ encoder, ...config }) => ({ ...config, encoder: [encoder] }), 'config.json: encoder is '],
    [
      'a type that readers cannot use',
      (config) => ({ ...config, embed_tokens_dtype: 'float32' }),
      'config.json: embed_tokens_dtype is "float32", wanted "float16".',
    ],
    [
      'three sizes',
      (config) => ({ ...config, embed_tokens_shape: [448, 128, 1] }),
      'config.json: embed_tokens_shape.2 is 1, wanted an array of two sizes.',
    ],
    [
      'sizes that contradict each other',
      ({ encoder, ...config }) => ({ ...config, encoder: { ...encoder, output_dim: 64 } }),
      'config.json: encoder.output_dim is 64, wanted decoder.hidden_size, which is 128.',
    ],
    [
      'another vocabulary',
      ({ decoder, ...config }) => ({ ...config, decoder: { ...decoder, vocab_size: 449 } }),
      'config.json: decoder.vocab_size is 449, wanted embed_tokens_shape.0, which is 448.',
    ],
  ])('with %s', async (_, edit, problem) => {
    const problems = configProblems(edit(await tinyConfig()))
    expect(problems).toEqual([expect.stringContaining(problem)])
  })

  it('may have keys that nobody knows yet', async () => {
    const { decoder, ...config } = await tinyConfig()
    expect(configProblems({ ...config, unknown: {}, decoder: { ...decoder, later: 1 } })).toEqual([])
  })
})
