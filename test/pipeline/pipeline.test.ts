// SPDX-License-Identifier: Apache-2.0

import { createHash } from 'node:crypto'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { homedir, hostname, tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DECODERS } from '../../eval/runtime/graphs.ts'
import { PROJECT } from '../../eval/runtime/project.ts'
import { openModel } from '../../graph-tools/model.ts'
import { contentOf } from '../../graph-tools/tensor-data.ts'
import { BUNDLED_SPEECH } from '../../pipeline/models.ts'
import { variantFiles } from '../../pipeline/variants.ts'
import { makeOriginalLayout, TINY } from '../helpers/checkpoint.ts'
import { runCli as run } from '../helpers/cli.ts'
import { sharedReleases, sharedRun, stagePython } from '../helpers/prepared.ts'

const NAME = 'qwen3-asr-tiny'
const DEFAULTS = { prefillInt8: true }
/** They hold figures of speed, which no two runs have alike. */
const DOCUMENTS = ['README.md', 'fidelity.svg', 'manifest.json', 'wer.svg']
const LONGEST_STAGE_MS = 600_000

/** One thread: this file shares the machine with another, and the tiny model gains nothing from a second. */
const runCli = (args: readonly string[]) => run([...args, '--threads', '1'])

let root = ''
let first = ''
const output = () => join(root, 'one')
const model = () => join(output(), NAME)
const release = (parent = output()) => join(parent, NAME, 'release')

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'qwen3-asr-onnx-run-'))
  // The run that the tests share; cp keeps times exactly, which stamps hold.
  await mkdir(output())
  await execa('cp', ['-a', join(await sharedReleases(), NAME), output()])
  first = await sharedRun()
}, LONGEST_STAGE_MS)

afterAll(() => rm(root, { recursive: true, force: true }))

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
}

/** What is published, relative to the model directory. */
async function releasedFiles(parent = output()): Promise<string[]> {
  const own = new Set([...variantFiles('fp32', DEFAULTS), ...variantFiles('int4', DEFAULTS)])
  const inside = (await filesBelow(release(parent))).map((name) => join('release', name))
  return [...own, ...inside].sort()
}

async function report() {
  return JSON.parse(await readFile(join(model(), 'report.json'), 'utf8'))
}

describe('the pipeline on the tiny model', () => {
  it('ends well and prints parity, WER, RTF and what would be uploaded', () => {
    expect(first).not.toContain('error:')
    expect(first).toMatch(/Parity with PyTorch \(torch 2\.13\.0.*, transformers 5\.18\.0\): pass/)
    for (const check of ['greedy', 'batched', 'split'])
      expect(first).toMatch(new RegExp(`${check} tokens +fp32 +cpu, \\w+ +0 +identical +pass`))
    expect(first).toMatch(/WER on held-out \(all \d+ utterances, normalizer basic\)/)
    expect(first).toMatch(
      /RTF = seconds of compute per second of audio[\s\S]*threads?, onnxruntime 1\.30\.0 cpu, Node/,
    )
    expect(first).toMatch(/Dry run: 24 files, .* would go to YOUR-NAME\/qwen3-asr-tiny-onnx/)
  })

  it('compares all straddling lengths and every utterance under 30 s, within the tolerances', async () => {
    const { parity } = await report()
    expect(parity.verdict).toBe('pass')
    const clips = (check: string) =>
      parity.comparisons
        .filter((row: { check: string }) => row.check === check)
        .map((row: { clip: string }) => row.clip)
    const cuts = ['0.10', '0.99', '1.00', '1.01', '7.99', '8.01', '31.00'].map(
      (seconds) => `cut-${seconds}-s`,
    )
    const utterances = (await readFile(join(BUNDLED_SPEECH, 'manifest.jsonl'), 'utf8')).trim().split('\n')
    expect(utterances.length).toBeGreaterThanOrEqual(60)
    expect(clips('greedy tokens').length).toBe(utterances.length)
    const all = [...cuts, ...clips('greedy tokens')]
    const decoders = ['batched logits', 'batched tokens', 'split logits', 'split tokens']
    for (const check of ['mel', 'features', 'prompt ids', 'prefill logits', ...decoders])
      expect(clips(check)).toEqual(all)
    expect(clips('step logits').length).toBeGreaterThanOrEqual(utterances.length)
    for (const row of parity.comparisons) expect(row.worst).toBeLessThanOrEqual(row.tolerance)
    const ways = parity.gates.filter(({ gate }: { gate: string }) => gate === 'cosine loss')
    expect(ways.map((way: { layout: string; prefill: string }) => `${way.layout} ${way.prefill}`)).toEqual([
      ...['fused int8', 'fused same', 'split same'],
    ])
    for (const { note } of ways) expect(Number(note.replace('mean cosine ', ''))).toBeGreaterThan(0.98)
  })

  it('measures at most 3 % WER in FP32, with all counts, in report.json and results.csv', async () => {
    const { evaluation } = await report()
    const [fp32, int4] = evaluation.variants
    expect(fp32.summary.wer).toBeLessThanOrEqual(0.03)
    for (const { summary } of [fp32, int4]) {
      const { hits, substitutions, deletions, insertions, words } = summary.errors
      expect(hits + substitutions + deletions).toBe(words)
      expect(summary.wer).toBe((substitutions + deletions + insertions) / words)
      expect(
        summary.speed.timing.mel *
          summary.speed.timing.encoder *
          summary.speed.timing.prefill *
          summary.speed.timing.decode,
      ).toBeGreaterThan(0)
    }
    const [header = '', ...rows] = (await readFile(join(model(), 'results.csv'), 'utf8')).trim().split('\n')
    expect(header.split(',')).toEqual(
      expect.arrayContaining([
        'system',
        'normalizer',
        'wer',
        'wer_low',
        'wer_high',
        'hits',
        'substitutions',
        'deletions',
        'insertions',
        'rtf',
        'rtf_mel',
        'rtf_encoder',
        'rtf_prefill',
        'rtf_decode',
        'threads',
        'cpu',
        'onnxruntime',
      ]),
    )
    const normalizers = ['basic', 'whisper-basic', 'whisper-english']
    expect(rows.map((row) => row.split(',').slice(1, 3).join(' '))).toEqual(
      normalizers.flatMap((normalizer) => [`fp32 ${normalizer}`, `int4 ${normalizer}`]),
    )
  })

  it('leaves the files of the contract and nothing half-made', async () => {
    const files = new Set([...variantFiles('fp32', DEFAULTS), ...variantFiles('int4', DEFAULTS)])
    const found = (await filesBelow(model())).filter(
      (name) => !name.startsWith('.work') && !name.startsWith('release'),
    )
    expect(new Set(found)).toEqual(new Set([...files, 'report.json', 'results.csv', 'evaluation.html']))
    expect(new Set(await filesBelow(release()))).toEqual(
      new Set([`${NAME}.tar.gz`, `${NAME}-int4.tar.gz`, ...DOCUMENTS, 'SHA256SUMS']),
    )
    expect((await filesBelow(output())).filter((name) => name.includes('.partial'))).toEqual([])
  })

  it('writes the contract keys into config.json, ids from the tokenizer', async () => {
    const config = JSON.parse(await readFile(join(model(), 'config.json'), 'utf8'))
    const added = JSON.parse(await readFile(join(TINY, 'tokenizer.json'), 'utf8')).added_tokens
    const id = (content: string) => added.find((token: { content: string }) => token.content === content).id
    expect(config).toMatchObject({
      model_type: 'qwen3_asr',
      encoder: {
        num_layers: 3,
        hidden_size: 128,
        num_heads: 4,
        ffn_dim: 512,
        conv_channels: 32,
        output_dim: 128,
        downsample_factor: 8,
        window_frames: 800,
        num_mel_bins: 128,
      },
      decoder: {
        num_layers: 3,
        hidden_size: 128,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        head_dim: 32,
        intermediate_size: 384,
        vocab_size: 448,
        rope_theta: 1e6,
        rms_norm_eps: 1e-6,
        tie_word_embeddings: true,
        rope_scaling: { mrope_section: [6, 5, 5], interleaved: true },
      },
      mel: { sample_rate: 16000, n_fft: 400, hop_length: 160, n_mels: 128, fmin: 0, fmax: 8000 },
      special_tokens: {
        eos_token_ids: [id('<|endoftext|>'), id('<|im_end|>')],
        pad_token_id: id('<|endoftext|>'),
        im_start_token_id: id('<|im_start|>'),
        im_end_token_id: id('<|im_end|>'),
        audio_start_token_id: id('<|audio_start|>'),
        audio_end_token_id: id('<|audio_end|>'),
        audio_pad_token_id: id('<|audio_pad|>'),
        asr_text_token_id: id('<asr_text>'),
      },
      embed_tokens_dtype: 'float16',
      embed_tokens_shape: [448, 128],
    })
    expect(config.quantization['decoder_step.int4']).toContain('block 64, asymmetric, accuracy level 4')
  })

  it('shares weights, keeps no allowzero, fuses norms, reads embeddings from embed_tokens.bin', async () => {
    const read = (name: string) => openModel(join(model(), name))
    const ranges = new Map<string, number>()
    for (const variant of ['', '.int4']) {
      for (const name of ['encoder', ...DECODERS]) {
        const graph = read(`${name}${variant}.onnx`)
        expect(graph.opsets.get('')).toBeGreaterThanOrEqual(18)
        expect(graph.metadata).toEqual([])
        const ops = new Set(graph.graph.nodes.map(({ opType }) => opType))
        const wanted =
          name === 'encoder'
            ? ['SkipLayerNormalization', 'BiasGelu']
            : ['SimplifiedLayerNormalization', 'SkipSimplifiedLayerNormalization']
        for (const op of wanted) expect(ops).toContain(op)
        if (name !== 'encoder' && variant) expect(ops).toContain('MatMulNBits')
        for (const node of graph.graph.nodes)
          expect(node.attributes.map((attribute) => attribute.name)).not.toContain('allowzero')
        const locations = new Set(
          graph.graph.initializers.map(({ external }) => external.get('location')).filter(Boolean),
        )
        const data = `decoder_weights${variant}.data`
        const expected =
          name === 'encoder' ? [] : name === 'decoder_init' ? [data, 'embed_tokens.bin'] : [data]
        expect(locations).toEqual(new Set(expected))
        for (const tensor of graph.graph.initializers) {
          const content = contentOf(graph, tensor)
          if (content && 'path' in content)
            ranges.set(`${content.path}:${content.start}`, content.end - content.start)
        }
      }
    }
    // Every stored byte but the padding between pages is used by some graph.
    for (const data of ['decoder_weights.data', 'decoder_weights.int4.data']) {
      const used = [...ranges].filter(([key]) => key.startsWith(join(model(), `${data}:`)))
      const pages = used.reduce((sum, [, bytes]) => sum + Math.ceil(bytes / 4096) * 4096, 0)
      expect(pages).toBeGreaterThanOrEqual((await stat(join(model(), data))).size)
    }
    const encoder = await stat(join(model(), 'encoder.onnx'))
    expect((await stat(join(model(), 'encoder.int4.onnx'))).ino).toBe(encoder.ino)
  })

  it('carries no path, user, host or time of this machine in any release file', async () => {
    const secrets = [
      PROJECT,
      root,
      homedir(),
      hostname(),
      'site-packages',
      '/python/',
      '.work',
      'stack_trace',
    ].filter((text) => text.length > 3)
    for (const name of await releasedFiles()) {
      const bytes = await readFile(join(model(), name))
      const isArchive = name.endsWith('.gz')
      const content = isArchive ? gunzipSync(bytes) : bytes
      for (const secret of secrets) expect(content.includes(secret), `${name} holds ${secret}`).toBe(false)
      if (!isArchive) continue
      expect(bytes.readUInt32LE(4)).toBe(0) // gzip's time
      // The first tar header: uid, gid and mtime are 0, no user or group name (POSIX ustar).
      const text = (from: number, to: number) =>
        content.subarray(from, to).toString('latin1').replaceAll('\0', '').trim()
      expect(
        [text(108, 116), text(116, 124), text(136, 148)].map((octal) => Number.parseInt(octal, 8)),
      ).toEqual([0, 0, 0])
      expect(text(265, 329)).toBe('')
    }
  })

  it('lists the true sha256 of every release file in SHA256SUMS', async () => {
    const lines = (await readFile(join(release(), 'SHA256SUMS'), 'utf8')).trim().split('\n')
    const listed = lines.map((line) => line.split('  ') as [string, string])
    const files = (await filesBelow(release())).filter((name) => name !== 'SHA256SUMS')
    expect(new Set(listed.map(([, name]) => name))).toEqual(new Set(files))
    for (const [hash, name] of listed) {
      expect(
        createHash('sha256')
          .update(await readFile(join(release(), name)))
          .digest('hex'),
      ).toBe(hash)
    }
  })
})

describe('a reader that uses only the contract', () => {
  it.each([
    ['fp32', `${NAME}.tar.gz`],
    ['int4', `${NAME}-int4.tar.gz`],
  ])('decodes from the archive of variant "%s"', async (variant, archive) => {
    const { evaluation } = await report()
    const { utterances } = evaluation.variants.find((row: { variant: string }) => row.variant === variant)
    const clips = utterances.map(({ id }: { id: string }) => join(BUNDLED_SPEECH, `${id}.flac`))
    const python = await stagePython()
    const reader = join(PROJECT, 'test', 'helpers', 'contract_reader.py')
    const { stdout } = await execa(python, [
      reader,
      join(release(), archive),
      variant === 'fp32' ? '' : variant,
      ...clips,
    ])
    const { files, texts, fused_texts: together, prefill_texts: quicker } = JSON.parse(stdout)
    expect(quicker !== undefined).toBe(variant === 'int4')
    expect(new Set(files)).toEqual(
      new Set(variantFiles(variant, DEFAULTS).map((name) => `${archive.replace('.tar.gz', '')}/${name}`)),
    )
    const wanted = utterances.map(({ pieces }: { pieces: { raw: string }[] }) => pieces[0]?.raw)
    // int4 rounds differently in the two builds of the runtime only where logits nearly tie.
    for (const found of [texts, together, ...(quicker ? [quicker] : [])]) {
      expect(found.length).toBe(utterances.length)
      const same = found.filter((text: string, i: number) => text === wanted[i]).length
      expect(same / wanted.length).toBeGreaterThanOrEqual(variant === 'fp32' ? 1 : 0.97)
    }
  })
})

describe('running again', () => {
  it('skips every stage and says so, as JSON events', async () => {
    const again = await runCli(['--model', 'tiny', '--output', output(), '--json'])
    const events = again.stdout.split('\n').map((line) => JSON.parse(line))
    const skipped = events.filter(({ event }) => event === 'stage-skip').map(({ stage }) => stage)
    expect(skipped).toEqual(['export', 'rewrite', 'quantize', 'validate', 'evaluate', 'package'])
    expect(JSON.parse(again.stdout.split('\n')[0] ?? '')).toMatchObject({
      event: 'start',
      model: 'tiny',
      output: model(),
    })
    expect(events.at(-1)).toMatchObject({ event: 'done' })
    expect(again.exitCode).toBe(0)
  })

  it('makes figures again that somebody removed or changed, and measures nothing', async () => {
    const [page, table] = [join(model(), 'evaluation.html'), join(model(), 'results.csv')]
    const before = await Promise.all([page, table].map((path) => readFile(path, 'utf8')))
    await rm(page)
    await writeFile(table, 'other figures')
    const again = await runCli(['--model', 'tiny', '--output', output()])
    expect(again.stdout).toContain('[evaluate] skipped')
    expect(again.stdout).toContain('WER on held-out (all 70 utterances, normalizer basic)')
    expect(again.stdout).toContain('[package] skipped')
    expect(await Promise.all([page, table].map((path) => readFile(path, 'utf8')))).toEqual(before)
  })

  it('in another directory gives byte-identical archives', async () => {
    const other = join(root, 'elsewhere', 'two')
    await mkdir(other, { recursive: true })
    await execa('cp', ['-a', model(), other])
    const second = await runCli(['--model', 'tiny', '--output', other, '--only', 'package', '--force'])
    expect(second.stdout).toContain('[package] done')
    expect(second.exitCode).toBe(0)
    const names = await releasedFiles()
    expect(await releasedFiles(other)).toEqual(names)
    const archives = names.filter((name) => name.endsWith('.gz'))
    expect(archives.length).toBe(2)
    for (const name of archives) {
      const [a, b] = await Promise.all([output(), other].map((parent) => readFile(join(parent, NAME, name))))
      expect(a?.equals(b as Buffer), `${name} differs`).toBe(true)
    }
  })

  it('refuses the directory of another model', async () => {
    const another = await makeOriginalLayout(await mkdtemp(join(root, 'another-')))
    const ended = await runCli(['--model', another, '--name', NAME, '--output', output()])
    expect(ended.stdout).toContain(
      `error: ${model()} belongs to another model: it was made from ${TINY}, this run is for ${another}.`,
    )
    expect(ended.exitCode).toBe(1)
  })

  it('refuses a directory with files of somebody else', async () => {
    const foreign = join(root, 'foreign')
    await mkdir(join(foreign, NAME), { recursive: true })
    await writeFile(join(foreign, NAME, 'thesis.txt'), 'precious')
    const ended = await runCli(['--model', 'tiny', '--output', foreign])
    expect(ended.stdout).toContain(
      `error: ${join(foreign, NAME)} holds files that no run of this pipeline made.`,
    )
    expect(await readFile(join(foreign, NAME, 'thesis.txt'), 'utf8')).toBe('precious')
  })
})

// Last, since they change the results of the run above.
describe('gates', () => {
  it('other speech is measured without the limit of the bundled one; clips that cannot be read count as errors', async () => {
    const speech = join(root, 'speech')
    await mkdir(speech)
    const lines = (await readFile(join(BUNDLED_SPEECH, 'manifest.jsonl'), 'utf8'))
      .trim()
      .split('\n')
      .slice(0, 2)
    for (const line of lines)
      await cp(join(BUNDLED_SPEECH, JSON.parse(line).file), join(speech, JSON.parse(line).file))
    await writeFile(join(speech, 'empty.wav'), '')
    const empty = '{"id": "e", "file": "empty.wav", "text": "one two three"}'
    await writeFile(join(speech, 'manifest.jsonl'), [...lines, empty].join('\n'))
    const args = ['--speech', speech, '--language', 'en', '--context', 'kitchen, garden']
    const ended = await runCli(['--model', 'tiny', '--output', output(), '--until', 'evaluate', ...args])
    expect(ended.exitCode).toBe(0)
    expect(ended.stdout).toContain('[validate] skipped')
    expect(ended.stdout).toContain(
      'fp32: 1 could not be read or transcribed (all their words count as deleted)',
    )
    const { evaluation } = await report()
    expect(evaluation).toMatchObject({ language: 'en', context: 'kitchen, garden', verdict: 'pass' })
    const [fp32] = evaluation.variants
    expect(fp32.utterances[2].problem).toContain('The file is empty (0 bytes).')
    expect(fp32.summary.errors.deletions).toBeGreaterThanOrEqual(3)
    expect(fp32.utterances[0].text).not.toContain('<asr_text>')
  })

  it('a failed WER gate stops with exit code 3 before packaging, and the older release stays', async () => {
    const args = ['--model', 'tiny', '--output', output(), '--max-new-tokens', '3']
    const before = await filesBelow(release())
    expect(before).toContain('SHA256SUMS')
    const ended = await runCli(args)
    expect(ended.stdout).toContain('[validate] skipped')
    expect(ended.stdout).toMatch(/held-out, fp32: .*70 cut at the token limit/)
    expect(ended.stdout).toMatch(
      /error: The WER gate failed: WER of fp32 is \d+\.\d\d %, wanted at most 3\.00 %\./,
    )
    expect(ended.stdout).not.toContain('[package] started')
    expect(ended.exitCode).toBe(3)
    expect(await filesBelow(release())).toEqual(before)
    const packaging = await runCli([...args, '--only', 'package'])
    expect(packaging.stdout).toContain('error: The stage evaluate has no current result')
    expect(packaging.exitCode).toBe(2)
  })

  it('a failed parity gate stops with exit code 3 before packaging', async () => {
    // Garbage weights, recorded in the stamp as if the rewrite had made them.
    const data = join(model(), 'decoder_weights.data')
    const bytes = await readFile(data)
    await writeFile(data, bytes.fill(0x3c, 0, 4096))
    const { size, mtimeMs } = await stat(data)
    const stampFile = join(model(), '.work', 'stamps', 'rewrite.json')
    const stamp = JSON.parse(await readFile(stampFile, 'utf8'))
    expect(stamp.outputs['decoder_weights.data']).toMatch(new RegExp(`^${size} `))
    stamp.outputs['decoder_weights.data'] = `${size} ${mtimeMs}`
    await writeFile(stampFile, JSON.stringify(stamp))
    const ended = await runCli(['--model', 'tiny', '--output', output(), '--from', 'validate', '--force'])
    expect(ended.stdout).toMatch(
      /error: The parity gate failed: \d+ of 19 results, first prefill logits of fp32 \(cpu, fused\), clip held-out-/,
    )
    expect(ended.stdout).toMatch(/prefill logits +fp32 +cpu, fused +\S+ +0\.001 +FAIL/)
    expect(ended.exitCode).toBe(3)
    expect((await report()).parity.verdict).toBe('fail')
    expect(await filesBelow(release())).toContain('SHA256SUMS')
  })
})
