// SPDX-License-Identifier: Apache-2.0

import { readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { applyAdapter, isAdapter } from '../../pipeline/checkpoint/adapter.ts'
import { openSource } from '../../pipeline/checkpoint/adapter-base.ts'
import { readCheckpoint } from '../../pipeline/checkpoint/checkpoint.ts'
import { resolveSource } from '../../pipeline/checkpoint/checkpoint-source.ts'
import { mergeAdapter } from '../../pipeline/checkpoint/merge-adapter.ts'
import { copyAdapter, editTensor, readTensors, renameKeys } from '../helpers/adapters.ts'
import { editJson, makeOriginalLayout, TINY } from '../helpers/checkpoint.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { modelHub } from '../helpers/model-hub.ts'
import { stagePython } from '../helpers/prepared.ts'

const never = new AbortController().signal
const CONFIG = 'adapter_config.json'

async function merge(adapter: string, base = TINY, signal = never) {
  const file = join(adapter, '..', 'merged.safetensors')
  const applied = await applyAdapter(await readCheckpoint(base), adapter, file)
  const { tensors } = applied.adapter
  await mergeAdapter({ base, adapter, file, tensors, signal, onProgress: () => undefined })
  return readTensors(file)
}

/** In this process, as the pipeline does. */
async function open(model: string, base?: string) {
  return openSource(await resolveSource(model), base, {
    python: async () => ({ path: await stagePython(), fingerprint: '' }),
    ...{ output: await temporaryFolder(), emit: () => undefined, signal: never },
  })
}

describe('names of tensors', () => {
  const thinkers = (key: string) =>
    key
      .replace('model.multi_modal_projector.linear_', 'thinker.audio_tower.proj')
      .replace('model.language_model.', 'thinker.model.')
      .replace('model.audio_tower.', 'thinker.audio_tower.')

  it('may be those of either format, or of the thinker alone, on a base of either', async () => {
    const folder = await temporaryFolder()
    const adapter = await copyAdapter(folder, 'plain')
    await editJson(adapter, CONFIG, (config) => ({
      ...config,
      target_modules: '.*(q_proj|v_proj|down_proj|fc1|linear_1|proj1)',
    }))
    const native = await merge(adapter)
    const original = await makeOriginalLayout(folder)
    await renameKeys(adapter, thinkers)
    const others = [await merge(adapter), await merge(adapter, original)]
    await renameKeys(adapter, (key) => key.replace('base_model.model.thinker.', 'base_model.model.'))
    for (const other of [...others, await merge(adapter)]) {
      expect([...other.keys()].sort()).toEqual([...native.keys()].sort())
      for (const [name, { bytes }] of other) expect(native.get(name)?.bytes.equals(bytes)).toBe(true)
    }
  })
})

describe('an adapter is refused with', () => {
  type Edit = (adapter: string) => Promise<unknown>
  const settings = (change: Record<string, unknown>): Edit => {
    return (adapter) => editJson(adapter, CONFIG, (config) => ({ ...config, ...change }))
  }
  const keys = (from: string | RegExp, to: string): Edit => {
    return (adapter) => renameKeys(adapter, (name) => name.replace(from, to))
  }
  const weights = (adapter: string) => join(adapter, 'adapter_model.safetensors')

  it.each<[string, string, Edit, RegExp]>([
    ['another method', 'plain', settings({ peft_type: 'IA3' }), /peft_type is "IA3", wanted "LORA"/],
    ['a rank of 0', 'plain', settings({ r: 0 }), /adapter_config.json: r is 0, wanted a whole number from 1/],
    [
      'a rank that its tensors do not have',
      'plain',
      settings({ r: 5 }),
      /lora_A.weight has rank 4, wanted 5/,
    ],
    ['alpha as text', 'plain', settings({ lora_alpha: '8' }), /lora_alpha is "8", wanted a number/],
    [
      'a setting nobody knows',
      'plain',
      settings({ use_magic: { a: 1 } }),
      /use_magic is {"a":1}, which this project cannot merge/,
    ],
    [
      'an invocation string',
      'plain',
      settings({ alora_invocation_tokens: [1] }),
      /alora_invocation_tokens is \[1\]/,
    ],
    [
      'parameters as targets',
      'plain',
      settings({ target_parameters: ['a.b'] }),
      /target_parameters is \["a.b"\]/,
    ],
    ['replicated layers', 'plain', settings({ layer_replication: [[0, 1]] }), /layer_replication is/],
    [
      'weights taken from the base',
      'plain',
      settings({ init_lora_weights: 'pissa' }),
      /init_lora_weights is "pissa", which changes the base's weights/,
    ],
    [
      'targets that do not name its tensors',
      'plain',
      settings({ target_modules: ['k_proj'] }),
      /target_modules of adapter_config.json does not name model\./,
    ],
    [
      'layers that do not name its tensors',
      'plain',
      settings({ layers_to_transform: [1] }),
      /does not name model\./,
    ],
    [
      'a pattern that takes for ever',
      'plain',
      settings({ target_modules: '(\\w+\\.?)+!' }),
      /it takes for ever/,
    ],
    [
      'a pattern that only Python reads',
      'plain',
      settings({ target_modules: '(?i:.*Q_PROJ)' }),
      /it has parts that only Python reads/,
    ],
    [
      'a broken pattern',
      'plain',
      settings({ rank_pattern: { '(': 4 } }),
      /rank_pattern has the pattern .* which cannot be read/,
    ],
    [
      'magnitudes without DoRA',
      'dora',
      settings({ use_dora: false }),
      /lora_magnitude_vector, but use_dora of adapter_config.json is false/,
    ],
    [
      'DoRA without magnitudes',
      'plain',
      settings({ use_dora: true }),
      /without a lora_magnitude_vector, but use_dora/,
    ],
    [
      'biases of B that it does not announce',
      'patterns',
      settings({ lora_bias: false }),
      /lora_B.bias, but lora_bias of adapter_config.json is false/,
    ],
    [
      'whole modules that it does not announce',
      'whole',
      settings({ modules_to_save: null }),
      /neither modules_to_save nor bias/,
    ],
    [
      'whole modules that are missing',
      'whole',
      settings({ modules_to_save: ['ln_post', 'multi_modal_projector', 'conv_out'] }),
      /modules_to_save of adapter_config.json names model.audio_tower.conv_out, but/,
    ],
    [
      'trained biases that it does not announce',
      'biases',
      settings({ bias: 'none' }),
      /neither modules_to_save nor bias/,
    ],
    [
      'tokens outside of the vocabulary',
      'whole',
      settings({ trainable_token_indices: [3, 250, 448] }),
      /has 448, wanted ids below 448/,
    ],
    [
      'another number of tokens',
      'whole',
      settings({ trainable_token_indices: [3] }),
      /trainable_tokens_delta is \[3, 128\], wanted \[1, 128\]/,
    ],
    [
      'a table that the base shares',
      'untied',
      async () => undefined,
      /The adapter changes (lm_head|model.language_model.embed_tokens).weight, which the base shares/,
    ],
    [
      'an unknown kind of tensor',
      'plain',
      keys('.lora_A.weight', '.lora_C.weight'),
      /has a tensor "base_model.*lora_C.weight", which this project cannot merge/,
    ],
    [
      'a key without its prefix',
      'plain',
      keys('base_model.model.', ''),
      /has a tensor "model\..*", which this project cannot merge/,
    ],
    [
      'modules of another model',
      'plain',
      keys(/model\.audio_tower/, 'model.vision_tower'),
      /vision_tower.*, which is not a module of a Qwen3-ASR/,
    ],
    [
      'half of a pair',
      'plain',
      keys(/q_proj(.*lora_B.*)/, 'k_proj$1'),
      /without its other half|does not name/,
    ],
    [
      'a layer that the base does not have',
      'plain',
      keys('layers.2.', 'layers.7.'),
      /the base has no tensor model\..*layers\.7\./,
    ],
    ['a truncated file', 'plain', (adapter) => truncate(weights(adapter), 20_000), /is truncated/],
    ['no safetensors', 'plain', (adapter) => writeFile(weights(adapter), '{}'), /is not a safetensors file/],
    [
      'weights as a pickle',
      'plain',
      (adapter) => rename(weights(adapter), join(adapter, 'adapter_model.bin')),
      /has no adapter_model.safetensors/,
    ],
    [
      'settings that are no JSON',
      'plain',
      (adapter) => writeFile(join(adapter, CONFIG), '{"r": '),
      /adapter_config.json/,
    ],
    [
      'NaN',
      'plain',
      (adapter) => editTensor(adapter, /lora_B/, (values) => values.fill(Number.NaN, 3, 4)),
      /lora_B.weight holds NaN or an infinity/,
    ],
    [
      'a value that overflows',
      'plain',
      settings({ lora_alpha: 1e42 }),
      /holds NaN, an infinity, or a value that BF16/,
    ],
  ])('%s', async (_, name, edit, message) => {
    // biome-ignore format: a table
    const folder = await temporaryFolder()
    const adapter = await copyAdapter(folder, name)
    await edit(adapter)
    const error = await merge(adapter).then(
      () => 'nothing was wrong',
      (error: unknown) => error,
    )
    expect(error).toMatchObject({ name: 'Failure', message: expect.stringMatching(message) })
    expect(error).toMatchObject({ hint: expect.stringMatching(/\w/) })
    expect(await readdir(folder)).not.toContain('merged.safetensors')
  })

  it('the shape of another base', async () => {
    const adapter = await copyAdapter(await temporaryFolder(), 'plain')
    const base = await readCheckpoint(TINY)
    const tensors = Object.fromEntries(
      Object.entries(base.tensors).map(([name, tensor]) => {
        const isFirst = name.endsWith('q_proj.weight')
        return [name, isFirst ? { ...tensor, shape: [256, 256] } : tensor]
      }),
    )
    await expect(applyAdapter({ ...base, tensors }, adapter, '/x')).rejects.toMatchObject({
      message: expect.stringMatching(
        /lora_A.weight is \[4, 128\], wanted \[4, 256\]: .* of the base is \[256, 256\]/,
      ),
      hint: 'Is this the base that it was trained on? Name another with --base.',
    })
  })

  it('a checkpoint beside it', async () => {
    const adapter = await copyAdapter(await temporaryFolder(), 'plain')
    expect(await isAdapter(adapter)).toBe(true)
    await writeFile(join(adapter, 'model.safetensors'), '')
    await expect(isAdapter(adapter)).rejects.toThrow('a checkpoint and an adapter')
  })
})

describe('a merge that is stopped', () => {
  it('leaves no file that looks finished', async () => {
    const folder = await temporaryFolder()
    const adapter = await copyAdapter(folder, 'plain')
    const controller = new AbortController()
    const file = join(folder, 'merged.safetensors')
    const { adapter: applied } = await applyAdapter(await readCheckpoint(TINY), adapter, file)
    const ended = mergeAdapter({
      ...{ base: TINY, adapter, file, tensors: applied.tensors, signal: controller.signal },
      onProgress: (done, total) => done > total / 2 && controller.abort(new Error('stopped')),
    })
    await expect(ended).rejects.toThrow('stopped')
    expect(await readdir(folder)).not.toContain('merged.safetensors')
  })
})

describe('the base of an adapter', () => {
  afterEach(() => vi.unstubAllEnvs())
  const named =
    (base: unknown, more = {}) =>
    (config: object) => ({ ...config, base_model_name_or_path: base, ...more })

  it('is a folder beside it, one that is given, or refused by name', async () => {
    const folder = await temporaryFolder()
    const adapter = await copyAdapter(folder, 'plain')
    await expect(open(adapter)).rejects.toMatchObject({
      message: `${CONFIG}: base_model_name_or_path is "../../qwen3-asr-tiny", wanted a hub id, or a folder that is here (not ${join(adapter, '../../qwen3-asr-tiny')}, not ${resolve('../../qwen3-asr-tiny')}).`,
      hint: 'Name the base with --base: a folder, or a hub id such as Qwen/Qwen3-ASR-0.6B.',
    })
    expect((await open(adapter, 'tiny')).base?.source.base).toBe('qwen3-asr-tiny')
    expect((await open(adapter, TINY)).checkpoint.folder).toBe(TINY)
    await editJson(adapter, CONFIG, named(TINY))
    expect((await open(adapter)).base).toMatchObject({
      folder: TINY,
      source: { flag: 'path/to/qwen3-asr-tiny' },
    })
    await editJson(adapter, CONFIG, named(null))
    await expect(open(adapter)).rejects.toThrow('names no base (base_model_name_or_path)')
    const other = await copyAdapter(folder, 'layers')
    await editJson(adapter, CONFIG, named('../layers'))
    await expect(open(adapter)).rejects.toThrow(
      `The base of the adapter, layers, cannot be used. ${other} is itself an adapter.`,
    )
    const empty = await temporaryFolder()
    await writeFile(join(empty, 'config.json'), '{"model_type": "whisper"}')
    await expect(open(adapter, empty)).rejects.toThrow(
      /cannot be used\. .*model_type "whisper", wanted "qwen3_asr"/,
    )
    await expect(open(adapter, 'nothing')).rejects.toMatchObject({
      message: 'Unknown model "nothing" for --base.',
      exitCode: 2,
    })
    await expect(open('tiny', 'tiny')).rejects.toMatchObject({
      message: expect.stringContaining('--base tiny goes with an adapter'),
      exitCode: 2,
    })
  })

  it('is fetched at its revision, after an adapter of the hub; neither again', async () => {
    const hub = await modelHub({ user: 'me' })
    const read = async (folder: string) => {
      const files: Record<string, Uint8Array> = {}
      for (const name of await readdir(folder)) files[name] = await readFile(join(folder, name))
      return files
    }
    const folder = await temporaryFolder()
    const adapter = await copyAdapter(folder, 'plain')
    hub.createRepo('me/tiny', { files: await read(TINY) })
    const revision = hub.head('me/tiny')
    hub.commitElsewhere('me/tiny', { 'config.json': '{}' })
    await editJson(adapter, CONFIG, named('me/tiny', { revision }))
    hub.createRepo('me/swiss', { files: await read(adapter) })
    const env = { HF_ENDPOINT: hub.url, HF_HOME: await temporaryFolder(), HF_TOKEN: undefined }
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value)
    const opened = await open('me/swiss')
    expect(opened).toMatchObject({
      commit: hub.head('me/swiss'),
      base: { commit: revision, source: { base: 'me/tiny' } },
    })
    vi.stubEnv('HF_HUB_OFFLINE', '1')
    expect((await open('me/swiss')).checkpoint.folder).toBe(opened.checkpoint.folder)
    vi.stubEnv('HF_HUB_OFFLINE', undefined)

    for (const base of [TINY, '../../../../etc', './tiny', '..\\tiny', 'a/../b']) {
      await editJson(adapter, CONFIG, named(base))
      hub.commitElsewhere('me/swiss', await read(adapter))
      await expect(open('me/swiss')).rejects.toThrow('wanted a hub id.')
    }
    await editJson(adapter, CONFIG, named('me/gone'))
    hub.commitElsewhere('me/swiss', await read(adapter))
    await expect(open('me/swiss')).rejects.toMatchObject({
      message:
        'The base of the adapter, me/gone, cannot be used. The hub has no model me/gone, or it is private.',
      hint: expect.stringContaining('Name the base with --base'),
    })
    await rm(folder, { recursive: true })
  })
})
