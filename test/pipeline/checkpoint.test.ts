// SPDX-License-Identifier: Apache-2.0

import {
  copyFile,
  cp,
  mkdir,
  readFile,
  rename,
  rm,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { describe, expect, it } from 'vitest'
import { parseJsonObject } from '../../eval/runtime/json-file.ts'
import { isJsonObject } from '../../eval/runtime/json-value.ts'
import { readCheckpoint } from '../../pipeline/checkpoint/checkpoint.ts'
import { checkConfig } from '../../pipeline/checkpoint/checkpoint-config.ts'
import { checkpointFiles } from '../../pipeline/checkpoint/checkpoint-files.ts'
import { Failure, failing } from '../../pipeline/shared/failure.ts'
import { pathsOf as runPaths } from '../../pipeline/shared/paths.ts'
import { exportStage } from '../../pipeline/stages/export-stage.ts'
import type { Run } from '../../pipeline/stages/stage.ts'
import { fingerprintOf } from '../../pipeline/stages/stamp.ts'
import { copyTiny, editHeader, editJson, makeOriginalLayout, TINY } from '../helpers/checkpoint.ts'
import { temporaryFolder } from '../helpers/folder.ts'

type Json = Record<string, unknown>

/** The message of the Failure that `work` ends with, if any. Anything else that is thrown fails the test. */
async function messageOf(work: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await work()
    return undefined
  } catch (error) {
    if (error instanceof Failure) return error.message
    throw error
  }
}

const refusal = (folder: string) => messageOf(() => readCheckpoint(folder))

/** The message after a change of config.json of the tiny checkpoint. */
async function refusalOf(edit: (config: Json) => unknown, name = 'config.json'): Promise<string | undefined> {
  const folder = await copyTiny(await temporaryFolder())
  const path = join(folder, name)
  await writeFile(path, JSON.stringify(edit(JSON.parse(await readFile(path, 'utf8')))))
  return refusal(folder)
}

const inText = (change: Json) => (config: Json) => ({
  ...config,
  text_config: { ...(config['text_config'] as Json), ...change },
})
const inAudio = (change: Json) => (config: Json) => ({
  ...config,
  audio_config: { ...(config['audio_config'] as Json), ...change },
})

describe('config.json is checked by key, value and what is wanted', () => {
  it.each<[string, (config: Json) => unknown, string]>([
    [
      'no heads',
      inText({ num_attention_heads: 0 }),
      'text_config.num_attention_heads is 0, wanted a whole number from 1 to 1024.',
    ],
    [
      'a negative number of heads',
      inAudio({ encoder_attention_heads: -2 }),
      'audio_config.encoder_attention_heads is -2, wanted a whole number from 1 to 1024.',
    ],
    [
      'heads that do not divide the width',
      inAudio({ encoder_attention_heads: 7 }),
      'audio_config.encoder_attention_heads is 7, wanted a divisor of d_model, which is 128.',
    ],
    [
      'key heads that do not divide the heads',
      inText({ num_key_value_heads: 3 }),
      'text_config.num_key_value_heads is 3, wanted a divisor of num_attention_heads, which is 4.',
    ],
    ['an odd head size', inText({ head_dim: 33 }), 'text_config.head_dim is 33, wanted an even number.'],
    ['no window', inAudio({ n_window: 0 }), 'audio_config.n_window is 0, wanted 50.'],
    [
      'an endless window',
      inAudio({ n_window: 1e15 }),
      'audio_config.n_window is 1000000000000000, wanted 50.',
    ],
    [
      'a window that cuts chunks',
      inAudio({ n_window_infer: 850 }),
      'audio_config.n_window_infer is 850, wanted a multiple of 2 x n_window = 100.',
    ],
    [
      'a string in place of a number',
      inText({ rope_theta: 'NaN' }),
      'text_config.rope_theta is "NaN", wanted a finite number above 0.',
    ],
    [
      'a rope_theta of zero',
      inText({ rope_parameters: { rope_theta: 0 } }),
      'text_config.rope_parameters.rope_theta is 0, wanted a finite number above 0.',
    ],
    [
      'a thousand million layers',
      inText({ num_hidden_layers: 1e9 }),
      'text_config.num_hidden_layers is 1000000000, wanted a whole number from 1 to 1000.',
    ],
    [
      'half a layer',
      inAudio({ encoder_layers: 1.5 }),
      'audio_config.encoder_layers is 1.5, wanted a whole number from 1 to 1000.',
    ],
    [
      'a null section',
      (config) => ({ ...config, text_config: null }),
      'text_config is null, wanted an object.',
    ],
    [
      'an array in place of a section',
      (config) => ({ ...config, audio_config: [1] }),
      'audio_config is [1], wanted an object.',
    ],
    ['no section', ({ audio_config: _, ...config }) => config, 'audio_config is missing, wanted an object.'],
    [
      'a missing key',
      inText({ head_dim: undefined }),
      'text_config.head_dim is missing, wanted a whole number from 2 to 1048576.',
    ],
    ['80 mel bins', inAudio({ num_mel_bins: 80 }), 'audio_config.num_mel_bins is 80, wanted 128.'],
    [
      'features of another width',
      inAudio({ output_dim: 64 }),
      'audio_config.output_dim is 64, wanted text_config.hidden_size, which is 128.',
    ],
    [
      'a large epsilon',
      inText({ rms_norm_eps: 1 }),
      'text_config.rms_norm_eps is 1, wanted a number above 0 and below 1.',
    ],
    [
      'sections of another sum',
      inText({ rope_scaling: { mrope_section: [6, 5, 4] } }),
      'text_config.rope_scaling.mrope_section is [6,5,4], wanted three numbers whose sum is 16, half of head_dim.',
    ],
    [
      'a sliding layer',
      inText({ layer_types: ['full_attention', 'sliding_attention', 'full_attention'] }),
      'text_config.layer_types is ["full_attention","sliding_attention","full_attention"], wanted "full_attention" 3 times, once for each layer.',
    ],
    [
      'a token outside of the vocabulary',
      (config) => ({ ...config, audio_token_id: 448 }),
      'audio_token_id is 448, wanted a whole number from 0 to 447.',
    ],
    [
      'another token than the tokenizer has',
      (config) => ({ ...config, audio_token_id: 3 }),
      "audio_token_id is 3, wanted 446, the tokenizer's id of <|audio_pad|>.",
    ],
    [
      'a word in place of a truth value',
      inText({ tie_word_embeddings: 'no' }),
      'text_config.tie_word_embeddings is "no", wanted true or false.',
    ],
  ])('%s', async (_, edit, wanted) => {
    expect(await refusalOf(edit)).toBe(`config.json: ${wanted}`)
  })

  it('names the section of the original format, and the other files', async () => {
    const folder = await makeOriginalLayout(await temporaryFolder())
    await editJson(folder, 'config.json', ({ thinker_config: thinker, ...config }) => ({
      ...config,
      thinker_config: inText({ num_attention_heads: 7 })(thinker as Json),
    }))
    expect(await refusal(folder)).toBe(
      'config.json: thinker_config.text_config.num_key_value_heads is 2, wanted a divisor of num_attention_heads, which is 7.',
    )
    const extractor = { feature_extractor: { hop_length: 80 } }
    expect(await refusalOf(() => extractor, 'processor_config.json')).toBe(
      'processor_config.json: feature_extractor.hop_length is 80, wanted 160.',
    )
    expect(await refusalOf(() => ({ eos_token_id: [441, 9000] }), 'generation_config.json')).toBe(
      'generation_config.json: eos_token_id is [441,9000], wanted a whole number from 0 to 447 or an array of them.',
    )
    const twice = (tokenizer: Json) => ({
      ...tokenizer,
      added_tokens: (tokenizer['added_tokens'] as Json[]).map((token) => ({ ...token, id: 441 })),
    })
    expect(await refusalOf(twice, 'tokenizer.json')).toMatch(
      /gives <\|endoftext\|> and <\|im_start\|> the same id, 441\.$/,
    )
  })
})

/** Every path to a value in a JSON object; arrays count as one value, and of a vocabulary the first tokens do. */
function pathsOf(value: Json, path: readonly string[] = []): string[][] {
  const entries = Object.entries(value)
  return entries.slice(0, entries.length > 60 ? 3 : undefined).flatMap(([key, item]) => {
    const here = [...path, key]
    return isJsonObject(item) && path.length < 3 ? [here, ...pathsOf(item, here)] : [here]
  })
}

function replaced(value: Json, [key = '', ...rest]: readonly string[], by: unknown): Json {
  return { ...value, [key]: rest.length === 0 ? by : replaced(value[key] as Json, rest, by) }
}

const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`
const BAD = [
  'null',
  '[]',
  '{}',
  '"x"',
  '""',
  '-1',
  '0',
  '1.5',
  '1e15',
  '1e999',
  'NaN',
  '-Infinity',
  'true',
  nested(90),
  nested(20_000),
]
/** Values without which there are no graphs: nothing else may stand in their places. */
const NEEDED =
  /audio_config\.(encoder_layers|d_model|encoder_attention_heads|encoder_ffn_dim|downsample_hidden_size|num_mel_bins|n_window|n_window_infer|output_dim)$|text_config\.(vocab_size|hidden_size|intermediate_size|num_hidden_layers|num_attention_heads|num_key_value_heads|head_dim|rms_norm_eps)$|(audio|text|thinker)_config$|^model_type$|^model\.vocab$|^weight_map$/

/** The file's text with every value of it replaced by every bad one. */
function* mutations(whole: string): Generator<{ key: string; bad: string; text: string }> {
  const value: Json = JSON.parse(whole)
  for (const path of pathsOf(value)) {
    const text = JSON.stringify(replaced(value, path, '@@'))
    for (const bad of BAD) yield { key: path.join('.'), bad, text: text.replace('"@@"', bad) }
  }
}

describe('whatever stands in place of a value is accepted or refused by a sentence', () => {
  const formats = {
    native: {
      make: copyTiny,
      others: ['generation_config', 'processor_config', 'tokenizer', 'tokenizer_config'],
    },
    original: { make: makeOriginalLayout, others: ['model.safetensors.index', 'vocab', 'tokenizer_config'] },
  }

  it.each(['native', 'original'] as const)('%s format', async (format) => {
    const folder = await formats[format].make(await temporaryFolder())
    const passed: string[] = []
    const vague: string[] = []
    const look = (file: string, key: string, bad: string, message: string | undefined) => {
      if (message === undefined) {
        if (NEEDED.test(key)) passed.push(`${file} ${key} = ${bad.slice(0, 20)}`)
      } else if (!message.includes(file) && !message.includes(folder)) vague.push(message)
      else if (/Cannot read|undefined|not a function|object Object/.test(message)) vague.push(message)
    }
    const config = await readFile(join(folder, 'config.json'), 'utf8')
    for (const { key, bad, text } of mutations(config)) {
      const check = async () =>
        checkConfig(parseJsonObject(Buffer.from(text), 'config.json', failing('')), folder)
      look('config.json', key, bad, await messageOf(check))
    }
    for (const file of formats[format].others.map((name) => `${name}.json`)) {
      const whole = await readFile(join(folder, file), 'utf8')
      for (const { key, bad, text } of mutations(whole)) {
        await writeFile(join(folder, file), text)
        look(file, key, bad, await refusal(folder))
      }
      await writeFile(join(folder, file), whole)
    }
    expect(passed).toEqual([])
    expect(vague).toEqual([])
  })
})

describe('JSON files that are not right', () => {
  const withConfig = async (content: string | Uint8Array) => {
    const folder = await copyTiny(await temporaryFolder())
    await writeFile(join(folder, 'config.json'), content)
    return { folder, message: (await refusal(folder))?.replace(`${folder}/`, '') }
  }

  it('says where, or what is in place of JSON', async () => {
    expect((await withConfig('version https://git-lfs.github.com/spec/v1')).message).toBe(
      'config.json is not valid JSON.',
    )
    expect((await withConfig('{\n  "a": 1\n  "b": 2 }')).message).toBe(
      'config.json is not valid JSON (line 3, column 3).',
    )
    expect((await withConfig('[1]')).message).toBe('config.json holds [1], wanted an object.')
    expect((await withConfig(Buffer.from('{"é": 1}', 'latin1'))).message).toBe(
      'config.json is not valid JSON: it is not UTF-8 text.',
    )
    expect((await withConfig('{"text_config": {"rope_theta": NaN, "x": "NaN"}}')).message).toBe(
      'config.json: text_config.rope_theta is NaN, which JSON does not have; wanted a finite number.',
    )
    expect((await withConfig(`{"a": ${nested(5_000_000)}}`)).message).toBe(
      'config.json is nested deeper than 100 levels at line 1, column 106.',
    )
  })

  it('reads one with a byte order mark, and refuses one of a gigabyte without reading it', async () => {
    const right = await readFile(join(TINY, 'config.json'), 'utf8')
    expect((await withConfig(`\uFEFF${right}`)).message).toBeUndefined()
    const { folder } = await withConfig(right)
    await truncate(join(folder, 'config.json'), 1e9) // a hole: it takes no space
    expect(await refusal(folder)).toBe(`${folder}/config.json has 1000000000 bytes, wanted at most 64000000.`)
  })
})

describe('files lie in the folder of the checkpoint', () => {
  it.each(['../x.safetensors', '/etc/passwd', 'a/b.safetensors', '..', '', 'C:x', 'a\\b'])(
    'an index may not name %j',
    async (shard) => {
      const folder = await copyTiny(await temporaryFolder())
      const index = { weight_map: { first: 'model.safetensors', second: shard } }
      await writeFile(join(folder, 'model.safetensors.index.json'), JSON.stringify(index))
      expect(await refusal(folder)).toBe(
        `model.safetensors.index.json: weight_map.second is ${JSON.stringify(shard)}, wanted the name of a file in the same folder.`,
      )
    },
  )

  it.each(['model.safetensors', 'config.json', 'tokenizer.json'])(
    '%s may not be a link that leads out',
    async (name) => {
      const parent = await temporaryFolder()
      const folder = await copyTiny(parent)
      const elsewhere = join(parent, 'elsewhere')
      await rename(join(folder, name), elsewhere)
      await symlink('../elsewhere', join(folder, name))
      expect(await refusal(folder)).toBe(
        `${folder}/${name} is a link to ${elsewhere}, which is outside of the checkpoint's folder.`,
      )
      await rm(elsewhere)
      expect(await refusal(folder)).toBe(`${folder}/${name} is a link that leads nowhere.`)
    },
  )

  it('follows links inside the folder, and those of a snapshot in the cache of the hub, itself named by a link', async () => {
    const home = await temporaryFolder()
    const repository = join(home, 'models--me--tiny')
    const snapshot = join(repository, 'snapshots', 'abc')
    await mkdir(join(repository, 'blobs'), { recursive: true })
    await mkdir(snapshot, { recursive: true })
    const names = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json']
    for (const name of names) {
      await copyFile(join(TINY, name), join(repository, 'blobs', `blob-of-${name}`))
      await symlink(`../../blobs/blob-of-${name}`, join(snapshot, name))
    }
    const named = join(home, 'my-model')
    await symlink(snapshot, named)
    expect((await readCheckpoint(named)).format).toBe('native')
    expect(await checkpointFiles(named)).toEqual(names)

    await rename(join(repository, 'blobs'), join(repository, 'other'))
    await symlink('other', join(repository, 'blobs'))
    expect((await readCheckpoint(snapshot)).format).toBe('native')
    await copyFile(join(TINY, 'config.json'), join(home, 'secret'))
    await rm(join(snapshot, 'config.json'))
    await symlink('../../../secret', join(snapshot, 'config.json'))
    expect(await refusal(snapshot)).toContain(`is a link to ${home}/secret, which is outside`)

    const folder = join(home, 'plain')
    await cp(TINY, folder, { recursive: true })
    await rename(join(folder, 'config.json'), join(folder, 'config-1.json'))
    await symlink('config-1.json', join(folder, 'config.json'))
    expect((await readCheckpoint(folder)).format).toBe('native')
  })

  it.each([
    'config.json',
    'model.safetensors',
    'tokenizer.json',
    'generation_config.json',
    'model.safetensors.index.json',
  ])('a FIFO, a directory or a device in place of %s is named, and nothing waits for it', async (name) => {
    const folder = await copyTiny(await temporaryFolder())
    const path = join(folder, name)
    await rm(path, { force: true })
    await execa('mkfifo', [path])
    expect(await refusal(folder)).toBe(`${path} is a FIFO, wanted a file.`)
    expect(await checkpointFiles(folder)).not.toContain(name)
    await rm(path)
    await mkdir(path)
    expect(await refusal(folder)).toBe(`${path} is a directory, wanted a file.`)
    await rm(path, { recursive: true })
    await symlink('/dev/zero', path)
    expect(await refusal(folder)).toBe(`${path} is a device, wanted a file.`)
  })
})

describe('the fingerprint of an export', () => {
  it('is another one for other bytes in a shard, whatever its size and time are', async () => {
    const parent = await temporaryFolder()
    const folder = await copyTiny(parent)
    const shard = join(folder, 'model.safetensors')
    await utimes(shard, 1e9, 1e9)
    const run = {
      checkpoint: await readCheckpoint(folder),
      paths: runPaths(parent, 'out'),
      options: {},
      python: async () => ({ path: '', fingerprint: '' }),
      signal: new AbortController().signal,
    } as unknown as Run
    const before = fingerprintOf(await exportStage.inputs(run))
    expect(fingerprintOf(await exportStage.inputs(run))).toBe(before)
    const bytes = await readFile(shard)
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1)
    await writeFile(shard, bytes)
    await utimes(shard, 1e9, 1e9)
    expect(fingerprintOf(await exportStage.inputs(run))).not.toBe(before)
  })
})

describe('headers of safetensors', () => {
  const BIAS = 'model.audio_tower.ln_post.bias'
  const withEntry = async (edit: (entry: Json, header: Json) => unknown) => {
    const folder = await copyTiny(await temporaryFolder())
    await editHeader(join(folder, 'model.safetensors'), (header) => ({
      ...header,
      [BIAS]: edit(header[BIAS] as Json, header),
    }))
    return refusal(folder)
  }

  it.each<[string, (entry: Json) => unknown, RegExp]>([
    ['null', () => null, /ln_post\.bias is null, wanted dtype, shape and data_offsets, \[start, end\]\.$/],
    [
      'a shape of words',
      (entry) => ({ ...entry, shape: ['x'] }),
      /ln_post\.bias is \{.*, wanted dtype, shape/,
    ],
    [
      'three offsets',
      (entry) => ({ ...entry, data_offsets: [0, 1, 2] }),
      /ln_post\.bias is \{.*, wanted dtype, shape/,
    ],
    [
      'a shape whose product overflows',
      (entry) => ({ ...entry, shape: [2 ** 52, 2 ** 52, 4] }),
      /ln_post\.bias has 256 bytes, its shape \[4503599627370496, 4503599627370496, 4\] requires 1\.\d+e\+32\.$/,
    ],
    [
      'a type that is a word of JavaScript',
      (entry) => ({ ...entry, dtype: 'constructor' }),
      /^\S+ is stored as constructor, wanted BF16, F16 or F32\.$/,
    ],
    [
      'another size of type',
      (entry) => ({ ...entry, dtype: 'F32' }),
      /ln_post\.bias has 256 bytes, its shape \[128\] requires 512\.$/,
    ],
    [
      'reversed offsets',
      ({ data_offsets: offsets, ...entry }) => ({
        ...entry,
        data_offsets: (offsets as number[]).toReversed(),
      }),
      /ln_post\.bias has -256 bytes/,
    ],
  ])('%s', async (_, edit, wanted) => {
    expect(await withEntry(edit)).toMatch(wanted)
  })

  it('a name that stands twice, though the ranges are covered', async () => {
    const folder = await copyTiny(await temporaryFolder())
    const path = join(folder, 'model.safetensors')
    const bytes = await readFile(path)
    const length = Number(bytes.readBigUInt64LE(0))
    const json = bytes.subarray(8, 8 + length).toString()
    const entry = new RegExp(`"${BIAS}": ?\\{[^}]*\\}`).exec(json)?.[0] ?? ''
    const twice = Buffer.from(json.replace(entry, `${entry.replace('128', '64, 2')},${entry}`))
    const size = Buffer.alloc(8)
    size.writeBigUInt64LE(BigInt(twice.length))
    await writeFile(path, Buffer.concat([size, twice, bytes.subarray(8 + length)]))
    expect(await refusal(folder)).toBe(`The header of ${path} names ${BIAS} twice.`)
  })

  it('a length beyond the file or all memory, and a header that is not JSON', async () => {
    const folder = await copyTiny(await temporaryFolder())
    const path = join(folder, 'model.safetensors')
    const bytes = await readFile(path)
    const withLength = async (length: bigint) => {
      bytes.writeBigUInt64LE(length)
      await writeFile(path, bytes)
      return refusal(folder)
    }
    expect(await withLength(90_000_000n)).toBe(
      `The shard model.safetensors has ${bytes.length} bytes, wanted 90000008: it is truncated.`,
    )
    expect(await withLength(2n ** 63n)).toBe(`${path} is not a safetensors file (${bytes.length} bytes).`)
    expect(await withLength(1000n)).toMatch(/^The header of \S+ is not valid JSON \(line 1, column \d+\)\.$/)
    expect(await withLength(0n)).toBe(`The header of ${path} is not valid JSON.`)
  })
})
