// SPDX-License-Identifier: Apache-2.0

import { createHash } from 'node:crypto'
import { cp, mkdir, readdir, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createGzip, gunzipSync } from 'node:zlib'
import { execa } from 'execa'
import { pack } from 'tar-stream'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { decoderData } from '../../eval/runtime/graphs.ts'
import { PROJECT } from '../../eval/runtime/project.ts'
import type { GateResult } from '../../pipeline/release/gate-result.ts'
import { isModelFile, readManifest } from '../../pipeline/release/manifest.ts'
import type { Manifest, Measurement } from '../../pipeline/release/manifest-schema.ts'
import { exists } from '../../pipeline/shared/output-files.ts'
import { VARIANT_NAMES, variantFiles } from '../../pipeline/variants.ts'
import { BUNDLED_HOTWORDS } from '../helpers/bundled-hotwords.ts'
import { fullDiskFor, runCli, startCli } from '../helpers/cli.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { packageHere as runHere } from '../helpers/package-here.ts'
import { stagePython } from '../helpers/prepared.ts'
import { publishedValidator } from '../helpers/published-schema.ts'
import { copyTinyRelease, expectWhole, TINY_NAME } from '../helpers/tiny-release.ts'

const MAIN = 'package'
const OPTIONS = { prefillInt8: true }

const run = (args: readonly string[], env: Record<string, string | undefined> = {}) =>
  runCli([...args, '--threads', '1'], env, MAIN)

async function manifestOf(model: string): Promise<Manifest> {
  return JSON.parse(await readFile(join(model, 'release', 'manifest.json'), 'utf8'))
}

async function sha256(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex')
}

async function editJson<T>(path: string, edit: (value: T) => T): Promise<void> {
  await writeFile(path, JSON.stringify(edit(JSON.parse(await readFile(path, 'utf8')))))
}

const PARITY = [
  ...['mel', 'features', 'prompt ids', 'prefill logits', 'step logits', 'greedy tokens'],
  ...['batched logits', 'batched tokens', 'split logits', 'split tokens'],
]
const NO_WER = 'Not measured: WER of fp32 (cpu, fused); added WER of int4 (cpu, fused with int8 prompts).'

async function editGates(model: string, name: string, edit: (gate: GateResult) => GateResult): Promise<void> {
  await editJson<{ gates: GateResult[] }>(section(model, name), ({ gates, ...rest }) => ({
    ...rest,
    gates: gates.map(edit),
  }))
}

/** What the gates of a release are recorded in. */
const section = (model: string, name: string) => join(model, '.work', `${name}.json`)

describe('npm run package', () => {
  it('makes the chosen variants: archives, sums, manifest, and an older release goes', async () => {
    const model = await copyTinyRelease()
    await mkdir(join(model, 'release', TINY_NAME)) // where earlier versions put the files a second time
    await cp(join(model, 'config.json'), join(model, 'release', TINY_NAME, 'config.json'))
    const earlier = await runHere(['verify', model, '--variants', 'int4'])
    expect(earlier.stdout).toContain(`first: ${TINY_NAME} is not in the manifest.`)
    const ended = await run([model, '--variants', 'int4'])
    expect(ended.stdout).toMatch(/qwen3-asr-tiny-int4\.tar\.gz +\S+ MB +archive +int4/)
    expect(ended.exitCode).toBe(0)
    const release = join(model, 'release')
    expect((await readdir(release)).sort()).toEqual(
      [
        ...['README.md', 'SHA256SUMS', 'manifest.json', `${TINY_NAME}-int4.tar.gz`],
        ...['fidelity.svg', 'wer.svg'],
      ].sort(),
    )
    const sums = await execa('sha256sum', ['-c', '--strict', 'SHA256SUMS'], { cwd: release })
    expect(sums.stdout.split('\n').length).toBe(5)
    const own = (await manifestOf(model)).files.filter(isModelFile).map(({ path }) => path)
    expect(new Set(own)).toEqual(new Set(variantFiles('int4', OPTIONS)))
    const card = await readFile(join(release, 'README.md'), 'utf8')
    expect(card).not.toContain('fp32 |')
    expect(card).toContain('`encoder.int4.onnx`: `mel` [1, 128, T]')
  })

  it('keeps the files of the model in one place, where Python’s onnx loads each graph', async () => {
    const model = await copyTinyRelease()
    expect((await runHere([model])).exitCode).toBe(0)
    const load =
      'import sys,glob,onnx; print([len(onnx.load(f).graph.node) > 0 for f in sorted(glob.glob(sys.argv[1] + "/**/*.onnx", recursive=True))])'
    const { stdout } = await execa(await stagePython(), ['-c', load, model])
    expect(stdout).toBe(`[${new Array(9).fill('True').join(', ')}]`)
    const inode = async (name: string) => (await stat(join(model, name))).ino
    expect(await inode('encoder.int4.onnx')).toBe(await inode('encoder.onnx'))
    for (const name of [decoderData('fp32'), decoderData('int4'), 'embed_tokens.bin'])
      expect((await stat(join(model, name))).nlink).toBe(1)
    // the release takes the disk of its archives, and little more
    const release = join(model, 'release')
    const sizes = await Promise.all((await readdir(release)).map(async (name) => stat(join(release, name))))
    expect(sizes.every((info) => info.isFile())).toBe(true)
    const bytes = sizes.reduce((sum, { size }) => sum + size, 0)
    const { files } = await manifestOf(model)
    const archives = files.reduce((sum, { role, size }) => sum + (role === 'archive' ? size : 0), 0)
    expect(bytes - archives).toBeLessThan(200_000)
  })

  it('gives the same archive bytes with any number of threads, which other tools unpack', async () => {
    const [model, other] = [await copyTinyRelease(), await copyTinyRelease()]
    await runHere([model])
    const alone = await runCli([other], { UV_THREADPOOL_SIZE: '1' }, MAIN)
    expect(alone.exitCode).toBe(0)
    for (const name of [`${TINY_NAME}.tar.gz`, `${TINY_NAME}-int4.tar.gz`]) {
      const path = join(model, 'release', name)
      expect(await sha256(path)).toBe(await sha256(join(other, 'release', name)))
      const out = await temporaryFolder()
      await execa('tar', ['-xzf', path, '-C', out])
      const top = name.replace('.tar.gz', '')
      expect(await readdir(out)).toEqual([top])
      for (const file of await readdir(join(out, top)))
        expect(await sha256(join(out, top, file))).toBe(await sha256(join(model, file)))
      // one gzip member: readers that stop after the first get it all
      const python =
        'import sys,zlib; d=zlib.decompressobj(31); n=len(d.decompress(open(sys.argv[1],"rb").read())); print(n, d.eof, len(d.unused_data))'
      const { stdout } = await execa('python3', ['-c', python, path])
      expect(stdout).toBe(`${gunzipSync(await readFile(path)).length} True 0`)
    }
    const [fast, small] = [await copyTinyRelease(), model]
    await runHere([fast, '--level', '1'])
    const size = async (folder: string) => (await stat(join(folder, 'release', `${TINY_NAME}.tar.gz`))).size
    expect(await size(fast)).toBeGreaterThan(await size(small))
  })

  it('records every file, its source, the tools and the results in manifest.json', async () => {
    const model = await copyTinyRelease()
    const manifest = await manifestOf(model)
    expect(manifest).toEqual(await readManifest(join(model, 'release'))) // which keeps the keys that are described
    expect((await publishedValidator('manifest'))(manifest)).toEqual([])
    const config = JSON.parse(await readFile(join(model, 'config.json'), 'utf8'))
    expect((await publishedValidator('config'))(config)).toEqual([])
    expect(manifest).toMatchObject({
      ...{ format: 1, name: TINY_NAME, ungated: [], command: 'npm run pipeline -- --model tiny' },
      source: { model: TINY_NAME, license: 'apache-2.0' },
      options: { opset: 18, accuracyLevel: 4, symmetric: false, prefillInt8: true },
      recipes: { int4: { decoder: [['*', 'q4b64']], prompts: 'int8' } },
      tools: { torch: '2.13.0', 'onnxruntime-node': '1.30.0', node: process.versions.node },
      selfTests: ['fp32', 'int4'].map((variant) => ({
        ...{ variant, clip: 'held-out-000.flac', text: 'One seven zero two nine two.' },
      })),
    })
    const weights = manifest.source.checkpoint.find(({ file }) => file === 'model.safetensors')
    const fixture = join(PROJECT, 'test', 'fixtures', TINY_NAME, 'model.safetensors')
    expect(weights?.sha256).toBe(await sha256(fixture))
    const encoder = manifest.files.find(({ path }) => path === 'encoder.int4.onnx')
    expect(encoder).toMatchObject({ role: 'encoder', variants: ['int4'], aliasOf: 'encoder.onnx' })
    expect(new Set(manifest.files.map(({ role }) => role))).toEqual(
      new Set([
        'encoder',
        'decoder',
        'prefill',
        'weights',
        'embeddings',
        'config',
        'archive',
        'documentation',
      ]),
    )
    const [measured] = manifest.evaluation
    expect(measured).toMatchObject({ dataset: 'held-out', normalizer: 'basic' })
    expect(measured?.results.map(({ system, utterances }) => [system, utterances])).toEqual([
      ['fp32', 70],
      ['int4', 70],
    ])
    expect(measured?.machines[0]?.machine.threads).toBe(1)
    const fidelity = manifest.fidelity ?? []
    expect(fidelity.map(({ variant, clips, positions, cut }) => [variant, clips, positions, cut])).toEqual([
      ['fp32', 70, 1047, 0],
      ['int4', 70, 1047, 0],
    ])
    const [fp32, int4] = fidelity
    expect(fp32).toMatchObject({ changed: 0, top1: 1, prefill: 'same' })
    expect(fp32?.kld.mean).toBeLessThan(1e-9) // onnxruntime is PyTorch
    expect(fp32?.ratio?.mean).toBeLessThan(1e-6)
    expect(int4).toMatchObject({ layout: 'fused', prefill: 'int8' })
    const { low, mean, high } = int4?.kld ?? {}
    expect([low, mean, high].every((value) => Number(value) > 1e-4 && Number(value) < 0.01)).toBe(true)
    const gates = manifest.gates ?? []
    expect(gates.map(({ gate, variant }) => `${gate} ${variant}`)).toEqual([
      ...PARITY.map((gate) => `${gate} fp32`),
      ...['cosine loss', 'cosine loss', 'cosine loss'].map((gate) => `${gate} int4`),
      ...['kld mean', 'kld p99', 'kld mean', 'kld p99', 'kld mean', 'kld p99'].map((gate) => `${gate} int4`),
      ...['WER fp32', 'added WER int4'],
    ])
    expect(gates.every(({ pass }) => pass)).toBe(true)
    for (const { path, size, sha256: wanted, role } of manifest.files) {
      const file = join(model, isModelFile({ role }) ? '' : 'release', path)
      expect([(await stat(file)).size, await sha256(file)]).toEqual([size, wanted])
    }
  })

  it.each([
    [
      'parity is missing',
      async (model: string) => rm(section(model, 'parity')),
      `Not measured: ${PARITY.slice(0, 8).join(', ')} of fp32 (cpu, fused); split logits, split tokens of fp32 (cpu, split); cosine loss, kld mean, kld p99 of int4 (cpu, fused with int8 prompts); cosine loss, kld mean, kld p99 of int4 (cpu, fused); cosine loss, kld mean, kld p99 of int4 (cpu, split).`,
    ],
    ['WER is missing', async (model: string) => rm(section(model, 'evaluation')), NO_WER],
    [
      'parity failed',
      (model: string) =>
        editGates(model, 'parity', (gate) =>
          gate.gate === 'prompt ids' ? { ...gate, found: 2, pass: false } : gate,
        ),
      'Failed: prompt ids of fp32 (cpu, fused) is 2, wanted at most 0.',
    ],
    [
      'a limit was looser once',
      (model: string) =>
        editGates(model, 'parity', (gate) => (gate.gate === 'features' ? { ...gate, limit: 1 } : gate)),
      'Measured with a looser limit than that of today: features of fp32 (cpu, fused).',
    ],
    [
      'a result is of another provider',
      (model: string) => editGates(model, 'evaluation', (gate) => ({ ...gate, provider: 'cuda' })),
      NO_WER,
    ],
    [
      'WER failed',
      (model: string) => editGates(model, 'evaluation', (gate) => ({ ...gate, found: 0.5, pass: false })),
      'Failed: WER of fp32 (cpu, fused) is 0.5, wanted at most 0.03; added WER of int4 (cpu, fused with int8 prompts) is 0.5, wanted at most 0.03.',
    ],
    [
      'the files are others than those that were measured',
      async (model: string) => {
        const path = join(model, 'decoder_weights.int4.data')
        const bytes = await readFile(path)
        bytes[100] = (bytes[100] ?? 0) ^ 1
        await writeFile(path, bytes)
      },
      'Other files of int4 were measured than these.',
    ],
  ])('refuses when %s, and the older release stays', async (_, harm, reason) => {
    const model = await copyTinyRelease()
    const before = await sha256(join(model, 'release', 'SHA256SUMS'))
    await harm(model)
    const ended = await runHere([model])
    expect(ended.stdout).toContain(reason)
    expect(ended.stdout).toContain('hint: Run the pipeline with --from validate.')
    expect(ended.exitCode).toBe(3)
    expect(await sha256(join(model, 'release', 'SHA256SUMS'))).toBe(before)
  })

  it('packages without gates when an option says so, and says so in the model card and the manifest', async () => {
    const model = await copyTinyRelease()
    await rm(section(model, 'evaluation'))
    const ended = await runHere([model, '--allow-ungated'])
    expect(ended.stdout).toContain(`Not validated: ${NO_WER}`)
    expect(ended.exitCode).toBe(0)
    const card = await readFile(join(model, 'release', 'README.md'), 'utf8')
    expect(card).toContain(
      `> **Not validated.** This release was packaged with \`--allow-ungated\`:\n> - ${NO_WER}`,
    )
    expect(card).toContain('not measured |')
    expect(card).not.toContain('model-index')
    expect((await manifestOf(model)).ungated).toEqual([NO_WER])
    const publishing = /npm run publish -- .* --dry-run --allow-ungated$/m
    expect(ended.stdout).toMatch(publishing)
    const verified = await runHere(['verify', model, '--variants', 'int4'])
    expect(verified.stdout).toMatch(/gates +note +\d+ gates in the manifest/)
    expect(verified.stdout).toContain(`It was not validated: ${NO_WER}`)
    expect(verified.stdout).toContain('is right, but see the note')
    expect(verified.stdout).toMatch(publishing)
    expect(verified.exitCode).toBe(0)
    expect(await readdir(join(model, 'release'))).not.toContain('wer.svg')
  })

  it('a full disk and a kill in the middle leave the older release as it was', async () => {
    const model = await copyTinyRelease()
    const before = await sha256(join(model, 'release', 'SHA256SUMS'))
    const full = await run([model], fullDiskFor('.tar.gz'))
    expect(full.stdout).toContain('error: The disk is full')
    expect(full.exitCode).toBe(1)
    const child = startCli([model, '--threads', '1', '--level', '9'], {}, MAIN)
    while (!(await exists(join(model, 'release.partial')))) await sleep(10)
    child.kill('SIGKILL')
    await child
    expect(await sha256(join(model, 'release', 'SHA256SUMS'))).toBe(before)
    await expectWhole(join(model, 'release'))
    // killed between the renames: the older one is found again, also by a run that fails
    await rename(join(model, 'release'), join(model, 'release.old'))
    expect((await run([model], fullDiskFor('.tar.gz'))).exitCode).toBe(1)
    expect(await sha256(join(model, 'release', 'SHA256SUMS'))).toBe(before)
    const again = await runHere([model])
    expect(again.exitCode).toBe(0)
    expect((await readdir(model)).filter((name) => /partial|old/.test(name))).toEqual([])
  })

  it.each([
    [['--variants', 'int4', '--variants', 'fp32'], '--variants is given 2 times, wanted once.', 2],
    [['--variants', 'fp8'], `--variants names "fp8", wanted some of ${VARIANT_NAMES.join(', ')}.`, 2],
    [['--level', '10'], '--level is 10, wanted 1 to 9.', 2],
    [['/nowhere'], '/nowhere is not a model directory: it holds no config.json.', 1],
    [['verify'], 'Found no release to verify, or two; wanted an archive, a folder, or --from-hub.', 2],
    [['verify', '/nowhere.tar.gz'], '/nowhere.tar.gz does not exist.', 1],
  ])('%j is refused', async (args, message, exitCode) => {
    const ended = await run(args)
    expect(ended.stdout).toContain(`error: ${message}`)
    expect(ended.exitCode).toBe(exitCode)
  })
})

describe('the model card', () => {
  it('has front matter that the official client reads, with the measured WER', async () => {
    const model = await copyTinyRelease()
    const path = join(model, 'release', 'README.md')
    const script = `
import json, sys
from huggingface_hub import ModelCard
data = ModelCard.load(sys.argv[1]).data
print(json.dumps({"license": data.license, "language": data.language, "library": data.library_name, "task": data.pipeline_tag,
  "results": [[r.task_type, r.dataset_type, r.metric_type, r.metric_value] for r in data.eval_results]}))`
    const { stdout } = await execa(await stagePython(), ['-c', script, path])
    const [measured] = (await manifestOf(model)).evaluation
    expect(JSON.parse(stdout)).toEqual({
      ...{
        license: 'apache-2.0',
        language: ['en', 'de'],
        library: 'onnxruntime',
        task: 'automatic-speech-recognition',
      },
      results: measured?.results.map(({ wer }) => [
        ...['automatic-speech-recognition', 'held-out', 'wer', Math.round(1e4 * (wer ?? Number.NaN)) / 100],
      ]),
    })
    const card = await readFile(path, 'utf8')
    const { tags } = parse(card.split('---\n')[1] ?? '')
    expect(tags).toEqual(['onnx', 'onnxruntime', 'qwen3_asr', 'speech-recognition', 'int4'])
    const row = measured?.results[0]
    expect(card).toContain(`| fp32 | ${(100 * (row?.wer ?? 0)).toFixed(2)} % | `)
    expect(card).toMatch(/140 results on .*: 1 thread, onnxruntime 1\.30\.0 cpu, Node/)
    expect(card).toContain('    npm run pipeline -- --model tiny\n')
  })

  it('has the prompt ids of the very tokenizer', async () => {
    const model = await copyTinyRelease()
    const card = await readFile(join(model, 'release', 'README.md'), 'utf8')
    const [, before = '', pad = '', after = ''] =
      /`(\[[\d,]+\])`, N times `(\d+)`, `(\[[\d,]+\])`/.exec(card) ?? []
    const script = `
import json, sys
from transformers import AutoTokenizer
ids = AutoTokenizer.from_pretrained(sys.argv[1]).encode(sys.argv[2], add_special_tokens=False)
print(json.dumps(ids))`
    const text =
      '<|im_start|>system\n<|im_end|>\n<|im_start|>user\n<|audio_start|><|audio_pad|><|audio_end|><|im_end|>\n<|im_start|>assistant\n'
    const fixture = join(PROJECT, 'test', 'fixtures', TINY_NAME)
    const { stdout } = await execa(await stagePython(), ['-c', script, fixture, text])
    expect([...JSON.parse(before), Number(pad), ...JSON.parse(after)]).toEqual(JSON.parse(stdout))
  })

  it('takes the figures of an evaluation of these files, and of no others', async () => {
    const model = await copyTinyRelease()
    const out = join(await temporaryFolder(), 'digits')
    const speech = join(PROJECT, 'test', 'fixtures', 'speech')
    const args = [
      '--models',
      `small:${model}:int4`,
      '--datasets',
      speech,
      '--n-samples',
      '5',
      '--hotwords',
      BUNDLED_HOTWORDS,
      '--output',
      out,
    ]
    const evaluated = await runCli([...args, '--threads', '1'], {}, 'evaluate')
    expect(evaluated.exitCode).toBe(0)
    expect((await runHere([model, '--evaluation', out])).exitCode).toBe(0)
    const card = await readFile(join(model, 'release', 'README.md'), 'utf8')
    expect(card).toContain('## Accuracy on speech\n\n5 of 70 utterances')
    expect(card).toMatch(
      /\| variant \| download \| on disk \| memory \| WER, held-out \| WER, speech \| RTF \|/,
    )
    expect(card).toMatch(/\| fp32 \|.*\| not measured \|/)
    expect(JSON.stringify((await manifestOf(model)).evaluation)).not.toContain(PROJECT)
    expect(card).toContain('int4: fused layout, one utterance at a time')
    expectHotwords(card, (await manifestOf(model)).evaluation.at(-1))
    for (const [setting, said] of [
      [{ prompt: 'legacy' }, '--prompt legacy'],
      [{ prompt: 'published', prefill: 'same' }, '--prefill same'],
    ] as const) {
      await editJson<{ systems: { settings: object }[] }>(join(out, 'run.json'), ({ systems, ...rest }) => ({
        ...rest,
        systems: systems.map((one) => ({ ...one, settings: { ...one.settings, ...setting } })),
      }))
      const unusual = await runHere([model, '--evaluation', out])
      expect(unusual.stdout).toContain(`error: The evaluation in ${out} measured int4 with ${said}`)
      expect(unusual.exitCode).toBe(1)
    }
    const records = (await readFile(join(out, 'results.jsonl'), 'utf8')).trim().split('\n')
    const { samples, id } = records.map((line) => JSON.parse(line)).find(({ kind }) => kind === 'utterance')
    const provenance = join(model, '.work', 'provenance.json')
    const before = await readFile(provenance, 'utf8')
    await editJson<Record<string, unknown>>(provenance, (known) => ({
      ...known,
      recipes: { int4: { decoder: [['*', 'q4b64']], solver: 'gptq', prompts: 'int8' } },
      calibration: {
        ...{ dataset: { name: 'calls' }, positions: 9, versions: {} },
        clips: [{ id: 'call-7', sha256: samples, seconds: 1 }],
      },
    }))
    const same = await runHere([model, '--evaluation', out])
    expect(same).toEqual({
      stdout: expect.stringMatching(
        new RegExp(
          `error: The evaluation in \\S+ measured ${id} of \\S+, which int4 was calibrated on \\(call-7\\)\\.\n` +
            'hint: Measure on other speech, or calibrate on other speech with --calibration\\.$',
        ),
      ),
      exitCode: 3,
    })
    await writeFile(provenance, before)
    await rename(join(model, 'decoder.int4.onnx'), join(model, 'x'))
    await cp(join(model, 'decoder.onnx'), join(model, 'decoder.int4.onnx'))
    const other = await runHere([model, '--evaluation', out, '--allow-ungated'])
    expect(other.stdout).toContain(`error: The evaluation in ${out} measured other files than this model's.`)
  })
})

/** Figures with lists are in places of their own: those of a variant are without. */
function expectHotwords(card: string, measured: Measurement | undefined): void {
  const { hotwords: lists, results = [], differences = [] } = measured ?? {}
  expect(lists).toEqual({ id: expect.stringMatching(/^\w{16}$/), source: 'bundled-20.tsv' })
  expect(results.map(({ system }) => system)).toEqual(['int4', 'int4 + hotwords'])
  for (const { hotwords, wer } of results) {
    expect(hotwords?.utterances).toBe(5)
    expect(hotwords?.wer.rate).toBe(wer)
    expect(hotwords?.listed.least).toBeGreaterThanOrEqual(20)
  }
  const [without, with_] = results.map(({ hotwords }) => hotwords?.bWer.rate ?? Number.NaN)
  expect(differences[0]?.hotwords?.bWer.difference).toBeCloseTo((with_ ?? 0) - (without ?? 0), 12)
  expect(card).toContain('## Hotwords on speech\n\nThe list of each utterance (`bundled-20.tsv`)')
  const rows = card.split('\n').filter((line) => line.includes('| with') || line.includes('| difference |'))
  expect(rows.map((row) => row.split('|').slice(1, 3).join('').trim())).toEqual([
    'int4  without',
    'int4  with',
    'int4  difference',
  ])
  expect(card).not.toContain('int4 + hotwords')
}

describe('npm run package -- verify', () => {
  it.each(['', 'release'])('finds a release given "%s"', async (place) => {
    const model = await copyTinyRelease()
    const ended = await run(['verify', join(model, place), '--variants', 'int4'])
    expect(ended.stdout).toMatch(/int4 transcribes +pass +"One seven zero two nine two\."/)
    expect(ended.exitCode).toBe(0)
  })

  it('checks an archive by itself, with the manifest beside it or named', async () => {
    const model = await copyTinyRelease()
    const archive = join(model, 'release', `${TINY_NAME}-int4.tar.gz`)
    const elsewhere = join(await temporaryFolder(), 'renamed.tar.gz')
    await cp(archive, elsewhere)
    expect((await runHere(['verify', archive])).exitCode).toBe(0)
    const alone = await runHere(['verify', elsewhere])
    expect(alone.stdout).toMatch(
      /error: .*manifest\.json is missing: nothing shows what renamed\.tar\.gz should hold/,
    )
    const manifest = join(model, 'release', 'manifest.json')
    const named = await runHere(['verify', elsewhere, '--manifest', manifest])
    expect(named.stdout).toContain('renamed.tar.gz is not in the manifest.')
    expect(named.stdout).toMatch(/members +pass +12 files of int4/)
    expect(named.exitCode).toBe(3)
  })

  /** As the hub has it: all in one folder. */
  async function download(model: string): Promise<string> {
    const { files } = await manifestOf(model)
    const folder = join(await temporaryFolder(), 'download')
    await cp(join(model, 'release'), folder, { recursive: true })
    for (const { path } of files.filter(isModelFile)) await cp(join(model, path), join(folder, path))
    return folder
  }

  const harms: [string, (folder: string) => Promise<void>, RegExp][] = [
    [
      'a flipped byte in the weights',
      async (folder) => {
        const path = join(folder, 'decoder_weights.data')
        const bytes = await readFile(path)
        bytes[1000] = (bytes[1000] ?? 0) ^ 1
        await writeFile(path, bytes)
      },
      /decoder_weights\.data has another sha256/,
    ],
    [
      'a missing file',
      (folder) => rm(join(folder, 'tokenizer.json')),
      /No variant is complete: tokenizer\.json missing\./,
    ],
    [
      'another recorded text',
      (folder) =>
        editJson<Manifest>(join(folder, 'manifest.json'), (value) => ({
          ...value,
          selfTests: value.selfTests.map((test) => ({ ...test, text: 'Hello.' })),
        })),
      /fp32 says "One seven zero two nine two\.", recorded is "Hello\."/,
    ],
    [
      'a config that a reader cannot use',
      async (folder) => {
        const path = join(folder, 'config.json')
        const config = JSON.parse(await readFile(path, 'utf8'))
        config.special_tokens.audio_pad_token_id = 1
        delete config.decoder.head_dim
        await writeFile(path, JSON.stringify(config))
      },
      /config\.json: decoder\.head_dim is missing, wanted a whole number from 1 to 1048576\.\nconfig\.json: special_tokens\.audio_pad_token_id is 1, wanted 446, the id of <\|audio_pad\|> in tokenizer\.json\./,
    ],
  ]
  it.each(harms)('finds %s in a download', async (_, harm, message) => {
    const folder = await download(await copyTinyRelease())
    await harm(folder)
    const ended = await runHere(['verify', folder])
    expect(ended.stdout).toMatch(message)
    expect(ended.stdout).toMatch(/error: .* is not right: \d+ problems?, first: /)
    expect(ended.exitCode).toBe(3)
  })

  it('finds a damaged, a missing and a strange file in a release', async () => {
    const model = await copyTinyRelease()
    const release = join(model, 'release')
    await truncate(join(release, `${TINY_NAME}.tar.gz`), 1000)
    await rm(join(release, 'wer.svg'))
    await writeFile(join(release, 'notes.txt'), 'x')
    const { stdout, exitCode } = await runHere(['verify', model, '--variants', 'int4'])
    expect(stdout).toMatch(/^qwen3-asr-tiny\.tar\.gz has 1000 bytes, wanted \d+\.$/m)
    expect(stdout).toMatch(/^wer\.svg is missing\.$/m)
    expect(stdout).toMatch(/^notes\.txt is not in the manifest\.$/m)
    expect(stdout).toContain('is not right: 3 problems')
    expect(exitCode).toBe(3)
  })

  it('minds nothing in a model directory that the release was not made of', async () => {
    const model = await copyTinyRelease()
    expect((await runHere([model, '--variants', 'int4'])).exitCode).toBe(0)
    await writeFile(join(model, 'decoder.int8.onnx'), 'an experiment')
    await writeFile(join(model, 'mine.bin'), 'notes')
    await rm(join(model, 'decoder_step.onnx'))
    await truncate(join(model, 'decoder_weights.data'), 100)
    await writeFile(join(model, '.DS_Store'), 'x')
    const ended = await runHere(['verify', model])
    expect(ended.stdout).toMatch(/contract +pass +5 graphs/)
    expect(ended.exitCode).toBe(0)
    const other = await runHere(['verify', model, '--variants', 'FP32'])
    expect(other.stdout).toContain('first: fp32 is not in the manifest.')
  })

  it('says of a release without its model directory how its archives are checked', async () => {
    const model = await copyTinyRelease()
    for (const name of ['kept', 'release']) {
      const folder = join(await temporaryFolder(), name)
      await cp(join(model, 'release'), folder, { recursive: true })
      const ended = await runHere(['verify', folder])
      expect(ended.stdout).toBe(
        `error: ${folder} holds the documents of a release, but the model's files are neither there nor in a model directory around it.
hint: Check its archives, which are complete by themselves: npm run package -- verify ${join(folder, 'NAME.tar.gz')}`,
      )
      await execa('sha256sum', ['-c', '--strict', 'SHA256SUMS'], { cwd: folder })
      expect((await runHere(['verify', join(folder, `${TINY_NAME}-int4.tar.gz`)])).exitCode).toBe(0)
    }
  })

  it('refuses archives that are cut off, damaged, or lead out of their folder', async () => {
    const folder = await temporaryFolder()
    const model = await copyTinyRelease()
    await cp(join(model, 'release', 'manifest.json'), join(folder, 'manifest.json'))
    const whole = await readFile(join(model, 'release', `${TINY_NAME}-int4.tar.gz`))
    const path = join(folder, `${TINY_NAME}-int4.tar.gz`)
    await writeFile(path, whole)
    await truncate(path, whole.length - 1000)
    expect((await runHere(['verify', path])).stdout).toMatch(/error: .* is damaged: unexpected end of file/)
    const flipped = Buffer.from(whole)
    flipped[flipped.length - 6] = (flipped.at(-6) ?? 0) ^ 1
    await writeFile(path, flipped)
    expect((await runHere(['verify', path])).stdout).toMatch(/error: .* is damaged: incorrect data check/)
    for (const [name, type] of [
      ['../outside', 'file'],
      ['/tmp/outside', 'file'],
      [`${TINY_NAME}-int4/a/b`, 'file'],
      [`${TINY_NAME}-int4/link`, 'symlink'],
    ] as const) {
      await writeFile(path, await tarOf(name, type))
      const ended = await runHere(['verify', path])
      expect(ended.stdout).toContain(`error: The archive holds ${JSON.stringify(name)} (${type})`)
      expect(ended.exitCode).toBe(3)
    }
    await writeFile(path, 'no archive')
    expect((await runHere(['verify', path])).stdout).toMatch(/error: .* is damaged: incorrect header check/)
  })

  it('shows where a long transcript begins to differ, and not all of it', async () => {
    const model = await copyTinyRelease()
    const release = join(model, 'release')
    const manifest = JSON.parse(await readFile(join(release, 'manifest.json'), 'utf8'))
    for (const test of manifest.selfTests) test.text = `${'One '.repeat(100)}end.`
    const text = JSON.stringify(manifest)
    const sums = await readFile(join(release, 'SHA256SUMS'), 'utf8')
    const before = await sha256(join(release, 'manifest.json'))
    await writeFile(join(release, 'manifest.json'), text)
    const after = await sha256(join(release, 'manifest.json'))
    await writeFile(join(release, 'SHA256SUMS'), sums.replace(before, after))
    const { stdout, exitCode } = await runHere(['verify', model, '--variants', 'int4'])
    expect(stdout).toMatch(
      /int4 says "One seven zero two nine two\.", recorded is "One (One )+.{0,3}\.\.\.\./,
    )
    expect(Math.max(...stdout.split('\n').map(({ length }) => length))).toBeLessThan(260)
    expect(exitCode).toBe(3)
  })

  it('compares two releases', async () => {
    const [model, other] = [await copyTinyRelease(), await copyTinyRelease()]
    const kept = join(await temporaryFolder(), 'kept') // its manifest says enough
    await cp(join(other, 'release'), kept, { recursive: true })
    const same = await runHere(['verify', model, '--against', kept, '--variants', 'int4'])
    expect(same.stdout).toMatch(/same as local +pass +22 files the same, 0 differences/)
    await runHere([other, '--variants', 'int4'])
    const ended = await runHere(['verify', model, '--against', other, '--variants', 'int4'])
    expect(ended.stdout).toMatch(/encoder\.onnx +only published/)
    expect(ended.stdout).toContain(`${basename(model)}`)
    expect(ended.exitCode).toBe(3)
  })
})

async function tarOf(name: string, type: 'file' | 'symlink'): Promise<Buffer> {
  const archive = pack()
  if (type === 'file') archive.entry({ name, type }, 'content')
  else archive.entry({ name, type, linkname: '/etc/passwd' })
  archive.finalize()
  const folder = await temporaryFolder()
  await mkdir(folder, { recursive: true })
  const chunks: Buffer[] = []
  const zipped = archive.pipe(createGzip())
  for await (const chunk of zipped) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}
