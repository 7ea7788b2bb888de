// SPDX-License-Identifier: Apache-2.0

import { appendFile, cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'
import { beforeAll, describe, expect, it } from 'vitest'
import { PROJECT } from '../../eval/runtime/project.ts'
import { openSources } from '../../eval/sources.ts'
import { STAGE_NAMES } from '../../pipeline/shared/stage-names.ts'

const PROGRAMS = {
  ...Object.fromEntries(STAGE_NAMES.map((name) => [name, `pipeline/stages/${name}-stage.ts`])),
  page: 'pipeline/stages/evaluation-view.ts',
  decoder: 'eval/runtime/worker.ts',
}
const ALL: readonly string[] = STAGE_NAMES
/** Recipes are calibrated by FP32's own answers: from there on the runtime is run. */
const FROM_QUANTIZE = ALL.slice(ALL.indexOf('quantize'))
/** Words are timed by heads that are found by running FP32. */
const FROM_REWRITE = ALL.slice(ALL.indexOf('rewrite'))

async function identities(root: string): Promise<Map<string, string>> {
  const { identify } = openSources(root)
  const pairs = Object.entries(PROGRAMS).map(
    async ([name, entry]) => [name, await identify([entry])] as const,
  )
  return new Map(await Promise.all(pairs))
}

async function copyOfProject(root: string): Promise<void> {
  for (const name of ['eval', 'graph-tools', 'pipeline', 'python', 'package.json', 'package-lock.json'])
    await cp(join(PROJECT, name), join(root, name), { recursive: true })
}

describe('what a stage depends on', () => {
  it('holds every module that a bundler finds, and each once', async () => {
    const sources = openSources(PROJECT)
    for (const [name, entry] of Object.entries(PROGRAMS)) {
      const bundle = await build({
        ...{ absWorkingDir: PROJECT, entryPoints: [entry], outdir: 'unused', write: false, metafile: true },
        ...{ bundle: true, splitting: true, packages: 'external', platform: 'node', format: 'esm' },
        ...{ target: 'node20', logLevel: 'silent' },
      })
      const { files } = await sources.of([entry])
      expect(files, name).toEqual(expect.arrayContaining(Object.keys(bundle.metafile.inputs)))
      expect(new Set(files).size).toBe(files.length)
    }
  })

  it('holds the packages that a bundler leaves outside, with those below them', async () => {
    const { packages } = await openSources(PROJECT).of([PROGRAMS.decoder])
    expect(packages).toEqual(
      expect.arrayContaining(['onnxruntime-node', 'libflacjs', 'mpg123-decoder', '@huggingface/tokenizers']),
    )
    expect(packages).not.toContain('@observablehq/plot')
  })
})

it('what a script of Python depends on holds modules of several folders', async () => {
  const { files } = await openSources(PROJECT).of(['python/bench/bench_decode.py'])
  expect(files).toEqual([
    ...['python/bench/bench_decode.py', 'python/bench/split_reader.py'],
    ...['python/checkpoint.py', 'python/export/aligner_graph.py'],
    ...[
      'decoder_graph',
      'embeddings_file',
      'emit_onnx',
      'encoder_graph',
      'export',
      'fused_ops',
      'weights',
    ].map((name) => `python/export/${name}.py`),
    ...['python/no_telemetry.py', 'python/protocol.py'],
    ...(await readdir(join(PROJECT, 'python/quantize')))
      .filter((name) => name.endsWith('.py'))
      .sort()
      .map((name) => `python/quantize/${name}`),
  ])
})

describe('an edit makes stale what runs or reads it, and nothing else', () => {
  let root = ''
  let before = new Map<string, string>()

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'qwen3-asr-onnx-sources-'))
    await copyOfProject(root)
    before = await identities(root)
    return () => rm(root, { recursive: true })
  })

  it.each<[string, readonly string[]]>([
    // what only prints
    ['pipeline/commands/pipeline-options.ts', []],
    ['pipeline/commands/evaluate-options.ts', []],
    ['pipeline/commands/reporter.ts', []],
    ['pipeline/shared/terminal.ts', []],
    ['pipeline/shared/next-steps.ts', []],
    ['pipeline/main.ts', []],
    ['pipeline/commands/arguments.ts', []],
    ['pipeline/commands/run-command.ts', []],
    ['python/tiny/tiny_card.py', []],
    ['python/tiny/train_tiny.py', []],
    ['eval/report/page.css', ['page']],
    ['eval/report/colours.css', ['page']],
    ['eval/report/page-list.js', ['page']],
    ['eval/report/remarks.ts', ['package', 'page']],
    // what makes graphs
    ['python/export/export.py', ['export', 'rewrite', 'quantize', 'validate']],
    ['python/export/emit_onnx.py', ['export', 'rewrite', 'quantize', 'validate']],
    ['python/export/make_tokenizer.py', ['export', 'rewrite', 'quantize', 'validate']],
    ['python/checkpoint.py', ['export', 'rewrite', 'quantize', 'validate']],
    ['python/quantize/quantize.py', ['quantize']],
    ['python/quantize/formats.py', ['quantize']],
    ['python/reference.py', ['validate']],
    // the tables
    ['pipeline/variants.ts', FROM_QUANTIZE],
    ['pipeline/gates/kld-gate.ts', ['validate', 'evaluate', 'package']],
    ['eval/runtime/providers.ts', [...FROM_REWRITE, 'decoder', 'page']],
    // what measures
    ['pipeline/evaluate/fingerprint.ts', ['quantize', 'validate', 'evaluate', 'package']],
    ['eval/runtime/audio/ffmpeg.ts', [...FROM_REWRITE, 'decoder', 'page']],
    ['eval/runtime/prefill-worker.ts', [...FROM_QUANTIZE, 'decoder']],
    ['eval/normalize/whisper.ts', ['evaluate', 'package', 'publish', 'page']],
    ['pipeline/stages/publish-stage.ts', ['publish']],
    // what all share
    ['pipeline/shared/output-files.ts', [...ALL, 'page']],
    ['pipeline/shared/failure.ts', [...ALL, 'page']],
  ])('%s', async (file, stale) => {
    const source = await readFile(join(root, file), 'utf8')
    await appendFile(join(root, file), file.endsWith('.py') ? '\n# edited' : '\n/* edited */')
    const after = await identities(root)
    await writeFile(join(root, file), source)
    expect([...after.keys()].filter((name) => after.get(name) !== before.get(name)).sort()).toEqual(
      [...stale].sort(),
    )
  })

  it.each([
    ['package.json', '{"dependencies": []}', 'package.json: dependencies is [], wanted an object.'],
    ['package.json', '{', 'package.json is not valid JSON (line 1, column 2).'],
    ['package-lock.json', '{}', 'package-lock.json: packages is missing, wanted an object.'],
    [
      'package-lock.json',
      '{"packages": {"node_modules/a": {"dependencies": 1}}}',
      'package-lock.json: packages.node_modules/a.dependencies is 1, wanted an object.',
    ],
  ])('nothing is known with %s damaged: %s', async (name, damage, message) => {
    const path = join(root, name)
    const whole = await readFile(path, 'utf8')
    await writeFile(path, damage)
    const identity = openSources(root).identify(['eval/wer.ts'])
    await expect(identity).rejects.toMatchObject({
      message: expect.stringContaining(message),
      hint: 'Get the project again, then run: npm ci',
    })
    await writeFile(path, whole)
  })

  it('another version of a package, or of one below it', async () => {
    const lock = join(root, 'package-lock.json')
    const changed = async (place: string) => {
      const base = await identities(root)
      const json = JSON.parse(await readFile(lock, 'utf8'))
      expect(json.packages).toHaveProperty([place, 'integrity'])
      json.packages[place].integrity = 'sha512-other'
      await writeFile(lock, JSON.stringify(json))
      const after = await identities(root)
      return [...after.keys()].filter((name) => after.get(name) !== base.get(name)).sort()
    }
    expect(await changed('node_modules/vitest')).toEqual([])
    expect(await changed('node_modules/@observablehq/plot')).toEqual(['package', 'page'])
    expect(await changed('node_modules/d3-array')).toEqual(['package', 'page'])
    expect(await changed('node_modules/onnxruntime-common')).toEqual([...FROM_REWRITE, 'decoder'].sort())
  })
})
