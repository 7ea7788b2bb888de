// SPDX-License-Identifier: Apache-2.0

import { chmod, mkdir, readdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readCheckpoint } from '../../pipeline/checkpoint/checkpoint.ts'
import { copyTiny, editHeader, editJson } from '../helpers/checkpoint.ts'
import { runCli } from '../helpers/cli.ts'
import { temporaryFolder } from '../helpers/folder.ts'

/** Run on a checkpoint that `damage` has changed; nothing may be written. */
async function refusal(damage: (folder: string) => Promise<unknown>) {
  const folder = await temporaryFolder()
  const model = await copyTiny(folder)
  await damage(model)
  const output = join(folder, 'out')
  const ended = await runCli(['--model', model, '--output', output])
  expect(await readdir(folder)).toEqual(['copy-of-tiny'])
  const [start, ...lines] = ended.stdout.split('\n')
  expect(start).toBe(`${model} -> ${join(output, 'copy-of-tiny')}`)
  return { model, exitCode: ended.exitCode, lines }
}

describe('wrong usage ends with exit code 2 and a hint', () => {
  it.each([
    [['--model', 'nonsense'], 'error: Unknown model "nonsense".'],
    [['--model', './nowhere'], 'error: ./nowhere does not exist.'],
    [[], 'error: Missing required argument: model'],
    [['--model', 'tiny', '--wat'], 'error: Unknown argument: wat'],
    [
      ['--model', 'tiny', '--from', 'package', '--until', 'export'],
      'error: --from package comes after --until export.',
    ],
    [
      ['--model', 'tiny', '--only', 'export', '--from', 'export'],
      'error: --only goes without --from and --until.',
    ],
    [['--model', 'tiny', '--threads', '0'], 'error: --threads is 0, wanted a whole number above 0.'],
    [
      ['--model', 'tiny', '--name', '../x'],
      'error: --name is "../x", wanted letters, digits, dots and dashes.',
    ],
    [['--model', 'tiny', '--opset', '17'], 'error: --opset is 17, wanted 18 to 23.'],
    [
      ['--model', 'tiny', '--only', 'export', '--only', 'rewrite'],
      'error: --only is given 2 times, wanted once.',
    ],
    [['--model', 'tiny', '--no-dry-run'], 'error: --no-dry-run needs a repository.'],
    [['--model', 'tiny', '--repo', 'nowhere'], 'error: "nowhere" is not a repository of the hub.'],
    [
      ['--model', 'tiny', '--skip-encoder'],
      'error: --skip-encoder and --skip-decoder leave a part of the release out.',
    ],
    [
      ['--model', 'tiny', '--variants', 'q8,int8', '--skip-decoder', '--until', 'quantize'],
      "error: The encoder of int8 needs a calibration, which FP32's decoder makes.",
    ],
  ])('%j', async (args, message) => {
    const ended = await runCli(args)
    const [error, hint] = ended.stdout.split('\n')
    expect(error).toBe(message)
    expect(hint).toMatch(/^hint: /)
    expect(ended.exitCode).toBe(2)
  })

  it('an unknown language', async () => {
    const ended = await runCli(['--model', 'tiny', '--language', 'Klingon'])
    expect(ended.stdout).toContain('error: "Klingon" is not a language of Qwen3-ASR.\nhint: One of: Arabic,')
    expect(ended.exitCode).toBe(2)
  })

  it('--help shows examples and exits 0', async () => {
    const ended = await runCli(['--help'])
    expect(ended.exitCode).toBe(0)
    expect(ended.stdout).toContain('npm run pipeline -- --model tiny')
    expect(ended.stdout).toContain('Exit codes: 0 done, 1 failed, 2 wrong usage, 3 a gate failed')
  })

  it('--json says it as an event', async () => {
    const ended = await runCli(['--model', 'nonsense', '--json'])
    expect(JSON.parse(ended.stdout)).toMatchObject({
      event: 'failure',
      message: 'Unknown model "nonsense".',
      exitCode: 2,
    })
  })

  it('--debug adds the stack', async () => {
    const ended = await runCli(['--model', 'nonsense', '--debug'])
    expect(ended.stderr).toContain('at resolveSource')
  })
})

describe('a bad checkpoint is refused before anything is written', () => {
  it('a directory that is not a checkpoint', async () => {
    const folder = await temporaryFolder()
    const ended = await runCli(['--model', folder, '--output', join(folder, 'out')])
    expect(ended.stdout).toContain(
      `\nerror: ${folder} is not a checkpoint: it holds neither config.json nor adapter_config.json.\n` +
        'hint: Give a directory to --model that holds a checkpoint (config.json, model.safetensors) or an adapter.',
    )
    expect(ended.exitCode).toBe(1)
  })

  it('a directory above checkpoints or adapters, which are named in the order of their numbers', async () => {
    const folder = await temporaryFolder()
    const hint = () => readCheckpoint(folder).catch(({ hint }) => hint)
    for (const name of ['checkpoint-500', 'logs']) await mkdir(join(folder, name))
    await writeFile(join(folder, 'checkpoint-500', 'adapter_config.json'), '{}')
    const first = join(folder, 'checkpoint-500')
    expect(await hint()).toBe(`Give a directory in it to --model: ${first}`)
    for (const name of ['checkpoint-1000', 'checkpoint-750']) {
      await mkdir(join(folder, name))
      await writeFile(join(folder, name, 'config.json'), '{}')
    }
    const [second, last] = ['checkpoint-750', 'checkpoint-1000'].map((name) => join(folder, name))
    expect(await hint()).toBe(`Give a directory in it to --model: ${first} or ${second} or ${last}`)
    const ended = await runCli(['--model', folder, '--base', folder, '--output', join(folder, 'out')])
    expect(ended.stdout).toContain(`holds no adapter_config.json.\nhint: ${await hint()}`)
    expect(ended.exitCode).toBe(2)
  })

  it('another kind of model', async () => {
    const { model, lines, exitCode } = await refusal((folder) =>
      editJson(folder, 'config.json', (config) => ({ ...config, model_type: 'whisper' })),
    )
    expect(lines[0]).toBe(`error: ${model}/config.json has model_type "whisper", wanted "qwen3_asr".`)
    expect(exitCode).toBe(1)
  })

  it('a missing shard', async () => {
    const { model, lines } = await refusal((folder) =>
      writeFile(
        join(folder, 'model.safetensors.index.json'),
        JSON.stringify({ weight_map: { a: 'model.safetensors', b: 'model-00002-of-00002.safetensors' } }),
      ),
    )
    expect(lines[0]).toBe(
      `error: The checkpoint's shard ${model}/model-00002-of-00002.safetensors is missing.`,
    )
  })

  it('a truncated shard', async () => {
    const { lines } = await refusal((folder) => truncate(join(folder, 'model.safetensors'), 1_000_000))
    expect(lines[0]).toMatch(
      /^error: The shard model\.safetensors has 1000000 bytes, wanted \d{7}: it is truncated\.$/,
    )
    expect(lines[1]).toBe('hint: Download the checkpoint again.')
  })

  it('a shard cut inside its header, or not safetensors at all', async () => {
    const cut = await refusal((folder) => truncate(join(folder, 'model.safetensors'), 100))
    expect(cut.lines[0]).toMatch(/has 100 bytes, wanted \d+: it is truncated/)
    const other = await refusal((folder) =>
      writeFile(join(folder, 'model.safetensors'), 'version https://git-lfs'),
    )
    expect(other.lines[0]).toContain('is not a safetensors file (23 bytes)')
  })

  it('a forced aligner without a timestamp token', async () => {
    const { lines } = await refusal((folder) =>
      editJson(folder, 'config.json', ({ audio_config, text_config }) => ({
        model_type: 'qwen3_asr',
        thinker_config: { audio_config, text_config, classify_num: 5000 },
      })),
    )
    expect(lines[0]).toBe(
      'error: config.json: timestamp_token_id is missing, wanted an id below 448, the size of the vocabulary.',
    )
  })

  it('a config whose sizes contradict its weights', async () => {
    const { lines } = await refusal((folder) =>
      editJson(folder, 'config.json', (config) => ({
        ...config,
        text_config: { ...(config['text_config'] as object), intermediate_size: 256 },
      })),
    )
    expect(lines[0]).toBe(
      'error: config.json and the weights contradict each other: model.language_model.layers.0.mlp.gate_proj.weight is [384, 128], ' +
        'the config requires [256, 128].',
    )
  })

  it('a setting that the export graphs do not compute with', async () => {
    const { lines } = await refusal((folder) =>
      editJson(folder, 'config.json', (config) => ({
        ...config,
        text_config: {
          ...(config['text_config'] as object),
          rope_parameters: { rope_type: 'yarn', rope_theta: 1e6, factor: 4 },
        },
      })),
    )
    expect(lines[0]).toBe(
      'error: config.json: text_config rope_type is "yarn", the export graphs compute with "default".',
    )
  })

  it('tensors that overlap', async () => {
    const { lines } = await refusal((folder) =>
      editHeader(join(folder, 'model.safetensors'), (header) => ({
        ...header,
        'model.audio_tower.ln_post.bias': header['model.audio_tower.ln_post.weight'],
      })),
    )
    expect(lines[0]).toMatch(
      /^error: model\.safetensors: \S+ starts at byte \d+, wanted \d+: tensors overlap or leave a gap\.$/,
    )
  })

  it('a missing tensor and an unexpected one, each by name', async () => {
    const missing = await refusal((folder) =>
      editHeader(join(folder, 'model.safetensors'), (header) => {
        const { 'model.audio_tower.ln_post.bias': moved, ...rest } = header
        return { ...rest, surprise: moved }
      }),
    )
    expect(missing.lines[0]).toBe(
      'error: The checkpoint has no tensor model.audio_tower.ln_post.bias, which its config.json requires.',
    )
    const unexpected = await refusal(async (folder) => {
      const path = join(folder, 'model.safetensors')
      const bytes = await readFile(path)
      const end = bytes.length - 8 - Number(bytes.readBigUInt64LE(0))
      const surprise = { dtype: 'F32', shape: [0], data_offsets: [end, end] }
      await editHeader(path, (header) => ({ ...header, surprise }))
    })
    expect(unexpected.lines[0]).toBe('error: The checkpoint has an unexpected tensor surprise.')
  })

  it('a tokenizer without the audio tokens', async () => {
    const { model, lines } = await refusal((folder) =>
      editJson(folder, 'tokenizer.json', (tokenizer) => ({ ...tokenizer, added_tokens: [] })),
    )
    expect(lines[0]).toContain(`error: The tokenizer in ${model} lacks `)
    expect(lines[0]).toContain('<|audio_start|>, <|audio_end|>, <|audio_pad|>')
  })
})

describe('a directory that does not say whose it is', () => {
  it.each([
    ['{"origin": "x', ' is not valid JSON (line 1, column 14).'],
    ['{"origin": "x"}', ': config is missing, wanted a string.'],
    ['{"origin": 1, "config": "c"}', ': origin is 1, wanted a string.'],
  ])('is refused with %s in model.json', async (content, message) => {
    const output = await temporaryFolder()
    const model = join(output, 'qwen3-asr-tiny')
    await mkdir(join(model, '.work'), { recursive: true })
    const file = join(model, '.work', 'model.json')
    await writeFile(file, content)
    const ended = await runCli(['--model', 'tiny', '--output', output])
    expect(ended.stdout.split('\n').slice(1, 3)).toEqual([
      `error: ${file}${message}`,
      `hint: Choose another --output or --name, or delete ${model}.`,
    ])
    expect(ended.exitCode).toBe(1)
    expect(await readFile(file, 'utf8')).toBe(content)
  })
})

describe('Python that does not serve', () => {
  const run = async (env: Record<string, string>, extra: readonly string[] = []) => {
    const folder = await temporaryFolder()
    const args = [
      '--model',
      'tiny',
      '--output',
      join(folder, 'out'),
      '--venv',
      join(folder, 'venv'),
      ...extra,
    ]
    return { ...(await runCli(args, env)), folder }
  }
  const fakePython = async (name: string, version: string) => {
    const folder = await temporaryFolder()
    const path = join(folder, name)
    await writeFile(path, `#!/bin/sh\necho ${version}\n`)
    await chmod(path, 0o755)
    return { folder, path }
  }

  it('none on PATH', async () => {
    const empty = await temporaryFolder()
    const ended = await run({ PATH: empty })
    expect(ended.stdout).toContain(
      'error: There is no Python on PATH; wanted 3.11 or newer.\nhint: Install Python 3.11',
    )
    expect(ended.exitCode).toBe(1)
  })

  it('too old a one on PATH', async () => {
    const { folder } = await fakePython('python3', '3.8.10')
    const ended = await run({ PATH: folder })
    expect(ended.stdout).toContain('error: Found python3 3.8.10; wanted 3.11 or newer.')
    expect(ended.exitCode).toBe(1)
  })

  it('too old a one given, one that cannot be run, one without the packages', async () => {
    const { path } = await fakePython('old', '3.9.2')
    expect((await run({}, ['--python', path])).stdout).toContain(
      `error: --python ${path} is Python 3.9.2, wanted 3.11 or newer.`,
    )
    expect((await run({}, ['--python', '/nowhere/python'])).stdout).toContain(
      'error: --python /nowhere/python cannot be run.',
    )
  })

  it('one given with other versions', async () => {
    const folder = await temporaryFolder()
    const path = join(folder, 'python')
    await writeFile(
      path,
      '#!/bin/sh\ncase "$2" in *version_info*) echo 3.12.1;; *) echo \'{"torch": "2.12.0+cpu"}\';; esac\n',
    )
    await chmod(path, 0o755)
    expect((await run({}, ['--python', path])).stdout).toContain(
      `error: --python ${path} has torch 2.12.0, wanted torch==2.13.0.\nhint: Run: ${path} -m pip install -r`,
    )
  })

  it('a --venv folder that holds something else, which stays as it is', async () => {
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'thesis.txt'), 'precious')
    const args = ['--model', 'tiny', '--output', join(folder, 'out'), '--venv', folder]
    const ended = await runCli(args)
    expect(ended.stdout).toContain(`error: --venv ${folder} is not empty and was not made by this pipeline`)
    expect(await readFile(join(folder, 'thesis.txt'), 'utf8')).toBe('precious')
  })

  it('pip failing: its last words, a hint, and no environment that looks ready', async () => {
    const ended = await run({ PIP_NO_INDEX: '1', UV_OFFLINE: '1', UV_NO_CACHE: '1' })
    expect(ended.exitCode).toBe(1)
    expect(ended.stdout).toContain('error: Installing the Python packages failed')
    expect(ended.stdout).toMatch(/[a-z]+==\d/) // the requirement that pip named
    expect(ended.stdout).toContain('hint: Check the network, then run the same command again')
    await expect(readFile(join(ended.folder, 'venv', 'requirements.sha256'))).rejects.toThrow('ENOENT')
  })
})
