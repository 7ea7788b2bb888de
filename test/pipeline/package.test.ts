import { createHash } from 'node:crypto'
import { cp, mkdir, readdir, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createGzip, gunzipSync } from 'node:zlib'
import { execa } from 'execa'
import { pack } from 'tar-stream'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import type { Event } from '../../pipeline/events.ts'
import { describeError } from '../../pipeline/failure.ts'
import { exists } from '../../pipeline/files.ts'
import { decoderData, variantFiles } from '../../pipeline/layout.ts'
import { PROJECT } from '../../pipeline/models.ts'
import { parsePackage } from '../../pipeline/package/cli.ts'
import { runPackage } from '../../pipeline/package/run.ts'
import type { Manifest } from '../../pipeline/release/manifest.ts'
import { placeFiles } from '../../pipeline/release/place-files.ts'
import { tableLines } from '../../pipeline/table.ts'
import { fullDiskFor, runCli, startCli } from '../helpers/cli.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { copyTinyRelease, TINY_NAME } from '../helpers/tiny-release.ts'

const MAIN = 'pipeline/package/main.ts'
const OPTIONS = { prefillInt8: true }

const run = (args: readonly string[], env: Record<string, string | undefined> = {}) =>
  runCli([...args, '--threads', '1'], env, MAIN)

/** The same without a new process. */
async function runHere(args: readonly string[]): Promise<{ stdout: string; exitCode: number }> {
  const lines: string[] = []
  const emit = (event: Event) => {
    if (event.event === 'note') lines.push(event.text)
    if (event.event === 'table') lines.push(...tableLines(event.columns, event.rows))
  }
  try {
    const options = await parsePackage([...args, '--threads', '1'])
    if (!options) throw new Error('no options')
    const exitCode = await runPackage(options, emit, new AbortController().signal)
    return { stdout: lines.join('\n'), exitCode }
  } catch (error) {
    const { message, hint, exitCode } = describeError(error)
    return { stdout: [...lines, `error: ${message}`, `hint: ${hint}`].join('\n'), exitCode }
  }
}

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

/** What the three gates of a release are recorded in. */
const section = (model: string, name: string) => join(model, '.work', `${name}.json`)

describe('npm run package', () => {
  it('makes the chosen variants: files of the contract alone, sums, manifest, and an older release goes', async () => {
    const model = await copyTinyRelease()
    const ended = await run([model, '--variants', 'int4'])
    expect(ended.stdout).toMatch(/qwen3-asr-tiny-int4\.tar\.gz +\S+ MB +archive +int4/)
    expect(ended.exitCode).toBe(0)
    const release = join(model, 'release')
    expect((await readdir(release)).sort()).toEqual(
      ['README.md', 'SHA256SUMS', 'manifest.json', TINY_NAME, `${TINY_NAME}-int4.tar.gz`, 'wer.svg'].sort(),
    )
    expect(new Set(await readdir(join(release, TINY_NAME)))).toEqual(new Set(variantFiles('int4', OPTIONS)))
    const sums = await execa('sha256sum', ['-c', '--strict', 'SHA256SUMS'], { cwd: release })
    expect(sums.stdout.split('\n').length).toBe(variantFiles('int4', OPTIONS).length + 4)
    const card = await readFile(join(release, 'README.md'), 'utf8')
    expect(card).not.toContain('FP32 |')
    expect(card).toContain('`encoder.int4.onnx`: `mel` [1, 128, T]')
  })

  it('leaves folders that Python’s onnx loads, and links what is no external data', async () => {
    const model = await copyTinyRelease()
    const ended = await runHere([model])
    expect(ended.stdout).toMatch(
      /^qwen3-asr-tiny\/ holds copies of the data files \([\d.]+ MB\): this file system/m,
    )
    const release = join(model, 'release', TINY_NAME)
    const load =
      'import sys,glob,onnx; print([len(onnx.load(f).graph.node) > 0 for f in sorted(glob.glob(sys.argv[1] + "/*.onnx"))])'
    for (const folder of [model, release]) {
      const { stdout } = await execa('.venv/bin/python', ['-c', load, folder])
      expect(stdout).toBe(`[${new Array(9).fill('True').join(', ')}]`)
    }
    const inode = async (path: string) => (await stat(path)).ino
    for (const name of ['encoder.onnx', 'decoder.onnx', 'tokenizer.json'])
      expect(await inode(join(release, name))).toBe(await inode(join(model, name)))
    for (const name of [decoderData(''), decoderData('int4'), 'embed_tokens.bin'])
      expect((await stat(join(release, name))).nlink).toBe(1)
  })

  it('copies no data file whose blocks the file system shares', async () => {
    const [from, to] = [await temporaryFolder(), await temporaryFolder()]
    const names = ['decoder_weights.data', 'decoder.onnx']
    for (const name of names) await writeFile(join(from, name), name)
    const shared: string[] = []
    const clone = async (source: string, target: string) => {
      shared.push(source)
      await cp(source, target)
      return true
    }
    const { signal } = new AbortController()
    expect(await placeFiles(names, from, to, { signal, clone })).toBe(0)
    expect(shared).toEqual([join(from, 'decoder_weights.data')])
    expect(
      await placeFiles(names.slice(0, 1), from, await temporaryFolder(), {
        signal,
        clone: async () => false,
      }),
    ).toBe(20)
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
    expect(manifest).toMatchObject({
      ...{ format: 1, name: TINY_NAME, ungated: [], command: 'npm run pipeline -- --model tiny' },
      source: { model: TINY_NAME, license: 'apache-2.0' },
      options: { opset: 18, blockSize: 64, accuracyLevel: 4, symmetric: false, prefillInt8: true },
      tools: { torch: '2.13.0', 'onnxruntime-node': '1.30.0', node: process.versions.node },
      selfTests: ['FP32', 'int4'].map((variant) => ({
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
      ['FP32', 70],
      ['int4', 70],
    ])
    expect(measured?.machines[0]?.machine.threads).toBe(1)
    expect(manifest.parity?.checks.every(({ pass }) => pass)).toBe(true)
    for (const { path, size, sha256: wanted, role } of manifest.files) {
      const inside = role === 'archive' || role === 'documentation' ? '' : TINY_NAME
      const file = join(model, 'release', inside, path)
      expect([(await stat(file)).size, await sha256(file)]).toEqual([size, wanted])
    }
  })

  it.each([
    [
      'parity is missing',
      async (model: string) => rm(section(model, 'parity')),
      'Parity with PyTorch was not compared.',
    ],
    ['WER is missing', async (model: string) => rm(section(model, 'evaluation')), 'WER was not measured.'],
    [
      'parity failed',
      (model: string) =>
        editJson<{ checks: { pass: boolean }[] }>(section(model, 'parity'), (value) => ({
          ...value,
          verdict: 'fail',
          checks: value.checks.map((check, i) => ({ ...check, pass: i !== 2 })),
        })),
      'Parity with PyTorch failed its gate: prompt ids.',
    ],
    [
      'WER failed',
      (model: string) =>
        editJson<{ gates: { pass: boolean }[] }>(section(model, 'evaluation'), (value) => ({
          ...value,
          verdict: 'fail',
          gates: value.gates.map((gate) => ({ ...gate, pass: false })),
        })),
      'WER failed its gate: WER of FP32, WER that int4 adds to FP32.',
    ],
    [
      'the files are others than those that were measured',
      async (model: string) => {
        const path = join(model, 'decoder_weights.int4.data')
        const bytes = await readFile(path)
        bytes[100] = (bytes[100] ?? 0) ^ 1
        await writeFile(path, bytes)
      },
      'Parity with PyTorch was compared on other files of int4 than these.',
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

  it('packages without gates when told to, and says so in the model card and the manifest', async () => {
    const model = await copyTinyRelease()
    await rm(section(model, 'evaluation'))
    const ended = await runHere([model, '--allow-ungated'])
    expect(ended.stdout).toContain('Not validated: WER was not measured.')
    expect(ended.exitCode).toBe(0)
    const card = await readFile(join(model, 'release', 'README.md'), 'utf8')
    expect(card).toContain(
      '> **Not validated.** This release was packaged with `--allow-ungated`:\n> - WER was not measured.',
    )
    expect(card).toContain('not measured |')
    expect(card).not.toContain('model-index')
    expect((await manifestOf(model)).ungated).toEqual(['WER was not measured.'])
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
    // killed between the renames: the older one is found again, also by a run that fails
    await rename(join(model, 'release'), join(model, 'release.old'))
    expect((await run([model], fullDiskFor('.tar.gz'))).exitCode).toBe(1)
    expect(await sha256(join(model, 'release', 'SHA256SUMS'))).toBe(before)
    const again = await runHere([model])
    expect(again.exitCode).toBe(0)
    expect((await readdir(model)).filter((name) => /partial|old/.test(name))).toEqual([])
  })

  it.each([
    [['--variants', 'int4', '--variants', 'FP32'], '--variants is given more than once.', 2],
    [['--variants', 'fp16'], '--variants names "fp16", wanted some of FP32, int4.', 2],
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
    const { stdout } = await execa('.venv/bin/python', ['-c', script, path])
    const [measured] = (await manifestOf(model)).evaluation
    expect(JSON.parse(stdout)).toEqual({
      ...{
        license: 'apache-2.0',
        language: ['en', 'de'],
        library: 'onnxruntime',
        task: 'automatic-speech-recognition',
      },
      results: measured?.results.map(({ wer }) => [
        ...['automatic-speech-recognition', 'held-out', 'wer', Math.round(1e4 * wer) / 100],
      ]),
    })
    const card = await readFile(path, 'utf8')
    const { tags } = parse(card.split('---\n')[1] ?? '')
    expect(tags).toEqual(['onnx', 'onnxruntime', 'qwen3_asr', 'speech-recognition', 'int4'])
    const row = measured?.results[0]
    expect(card).toContain(`| FP32 | ${(100 * (row?.wer ?? 0)).toFixed(2)} % | `)
    expect(card).toMatch(/140 results on .*: 1 thread, onnxruntime 1\.30\.0 cpu, Node/)
    expect(card).toContain('    npm run pipeline -- --model tiny\n')
  })

  it('tells the prompt ids of the very tokenizer', async () => {
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
    const { stdout } = await execa('.venv/bin/python', ['-c', script, fixture, text])
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
      '--output',
      out,
    ]
    const evaluated = await runCli([...args, '--threads', '1'], {}, 'pipeline/evaluate/main.ts')
    expect(evaluated.exitCode).toBe(0)
    expect((await runHere([model, '--evaluation', out])).exitCode).toBe(0)
    const card = await readFile(join(model, 'release', 'README.md'), 'utf8')
    expect(card).toContain('## Accuracy on speech\n\n5 of 70 utterances')
    expect(card).toMatch(/\| variant \| download \| on disk \| WER, held-out \| WER, speech \| RTF \|/)
    expect(card).toMatch(/\| FP32 \|.*\| not measured \|/)
    expect(JSON.stringify((await manifestOf(model)).evaluation)).not.toContain(PROJECT)
    expect(card).toContain('int4: fused layout, one utterance at a time')
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
    await rename(join(model, 'decoder.int4.onnx'), join(model, 'x'))
    await cp(join(model, 'decoder.onnx'), join(model, 'decoder.int4.onnx'))
    const other = await runHere([model, '--evaluation', out, '--allow-ungated'])
    expect(other.stdout).toContain(`error: The evaluation in ${out} measured other files than this model's.`)
  })
})

describe('npm run package -- verify', () => {
  it.each(['', 'release', join('release', TINY_NAME)])('finds a release given "%s"', async (place) => {
    const model = await copyTinyRelease()
    const ended = await run(['verify', join(model, place), '--variants', 'int4'])
    expect(ended.stdout).toMatch(/int4 hears +pass +"One seven zero two nine two\."/)
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
      /error: .*manifest\.json is missing: nothing says what renamed\.tar\.gz should hold/,
    )
    const manifest = join(model, 'release', 'manifest.json')
    const named = await runHere(['verify', elsewhere, '--manifest', manifest])
    expect(named.stdout).toContain('renamed.tar.gz is not in the manifest.')
    expect(named.stdout).toMatch(/members +pass +12 files of int4/)
    expect(named.exitCode).toBe(3)
  })

  const harms: [string, (model: string) => Promise<void>, RegExp][] = [
    [
      'a flipped byte in the weights',
      async (model) => {
        const path = join(model, 'release', TINY_NAME, 'decoder_weights.data')
        const bytes = await readFile(path)
        bytes[1000] = (bytes[1000] ?? 0) ^ 1
        await rm(path)
        await writeFile(path, bytes)
      },
      /decoder_weights\.data has another sha256/,
    ],
    [
      'a missing file',
      (model) => rm(join(model, 'release', TINY_NAME, 'tokenizer.json')),
      /tokenizer\.json is missing\./,
    ],
    [
      'a file too many',
      (model) => writeFile(join(model, 'release', TINY_NAME, 'notes.txt'), 'x'),
      /notes\.txt is not in the manifest\./,
    ],
    [
      'another recorded text',
      (model) =>
        editJson<Manifest>(join(model, 'release', 'manifest.json'), (value) => ({
          ...value,
          selfTests: value.selfTests.map((test) => ({ ...test, text: 'Hello.' })),
        })),
      /FP32 says "One seven zero two nine two\.", recorded is "Hello\."/,
    ],
    [
      'a config that a reader cannot use',
      async (model) => {
        const path = join(model, 'release', TINY_NAME, 'config.json')
        const config = JSON.parse(await readFile(path, 'utf8'))
        config.special_tokens.audio_pad_token_id = 1
        delete config.decoder.head_dim
        await rm(path)
        await writeFile(path, JSON.stringify(config))
      },
      /config\.json has no number decoder\.head_dim\.[\s\S]*audio_pad_token_id 1, but <\|audio_pad\|> is 446/,
    ],
  ]
  it.each(harms)('finds %s', async (_, harm, message) => {
    const model = await copyTinyRelease()
    await harm(model)
    const ended = await runHere(['verify', model])
    expect(ended.stdout).toMatch(message)
    expect(ended.stdout).toMatch(/error: .* is not right: \d+ problems?, first: /)
    expect(ended.exitCode).toBe(3)
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

  it('compares two releases', async () => {
    const [model, other] = [await copyTinyRelease(), await copyTinyRelease()]
    const same = await runHere(['verify', model, '--against', other, '--variants', 'int4'])
    expect(same.stdout).toMatch(/same as local +pass +21 files the same, 0 differences/)
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
