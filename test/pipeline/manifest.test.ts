// SPDX-License-Identifier: Apache-2.0

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'
import { describe, expect, it } from 'vitest'
import { parseManifest, readManifest, writeManifest } from '../../pipeline/release/manifest.ts'
import { MANIFEST_SCHEMA, type Manifest, type ReleaseFile } from '../../pipeline/release/manifest-schema.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { mutantsOf } from '../helpers/mutants.ts'

const SHA256 = '0123456789abcdef'.repeat(4)
const FILE: ReleaseFile = {
  ...{ path: 'encoder.onnx', size: 5_000_000_000, sha256: SHA256, role: 'encoder', variants: ['fp32'] },
}
const ALIAS: ReleaseFile = { ...FILE, path: 'encoder.int4.onnx', variants: ['int4'], aliasOf: 'encoder.onnx' }
const [PERCENTILES, RANGE] = [
  { p50: 0.1, p90: 0.2, p99: 0.3 },
  { low: null, high: 0.1 },
]

const EDGES = { edges: 456, mean: 0.046, median: 0.034, bias: 0.02, within80: 0.84, within200: 0.99 }
const MANIFEST: Manifest = {
  ...{ format: 1, family: 'asr' },
  name: 'qwen3-asr-0.6b',
  source: {
    ...{ model: 'Qwen/Qwen3-ASR-0.6B', revision: 'abc', license: 'apache-2.0' },
    checkpoint: [{ file: 'config.json', sha256: SHA256 }],
  },
  options: { opset: 18, blockSize: 64, accuracyLevel: 4, symmetric: false, prefillInt8: true },
  recipes: { int4: { decoder: [['*', 'q4b64']], prompts: 'int8' } },
  tools: { node: '20.19.0' },
  software: {
    ...{ name: 'qwen3-asr-onnx', version: '1.2.0+3.g0123456789ab' },
    ...{ repository: 'https://example.org/owner/name', commit: '0123456789ab', dirty: false },
  },
  command: 'npm run pipeline -- --model 0.6b',
  ungated: [],
  files: [FILE, ALIAS],
  selfTests: [
    {
      variant: 'fp32',
      clip: 'held-out-000.flac',
      clipSha256: SHA256,
      text: 'One seven.',
      words: [{ text: 'One', start: 0, end: 0.5 }],
    },
  ],
  providers: [{ name: 'cpu', verdict: 'right', isTested: true }],
  gates: [
    {
      ...{ gate: 'mel', variant: 'fp32', provider: 'cpu', layout: 'fused', prefill: 'same' },
      ...{ unit: 'number', found: 1e-5, limit: 1e-4, pass: true, problem: 'none', note: 'none' },
      ...{ clips: 77, worstClip: 'held-out-000', fingerprints: { fp32: 'abc' } },
    },
  ],
  fidelity: [
    {
      ...{ variant: 'int4', provider: 'cpu', layout: 'fused', prefill: 'int8', clips: 70, positions: 1047 },
      kld: { mean: 0.0009, low: 0.0004, high: 0.0014, median: 0.00004, p99: 0.016, max: 0.19 },
      ...{ top1: 0.998, cosine: 0.994, changed: 2, cut: 0 },
      ratio: { to: 'q8', mean: 71, low: 48, high: 106 },
      ...{ bytes: 3_611_832, problem: 'none' },
    },
  ],
  reference: { torch: '2.13.0' },
  evaluation: [
    {
      ...{
        dataset: 'held-out',
        source: { kind: 'folder' },
        selection: { sample: 'all' },
        normalizer: 'basic',
      },
      results: [
        {
          ...{ dataset: 'held-out', normalizer: 'basic', system: 'fp32', utterances: 70 },
          errors: { hits: 9, substitutions: 1, deletions: 0, insertions: 0, words: 10 },
          ...{ wer: 0.1, werInterval: RANGE, characters: 50, cer: 0.02, cerInterval: RANGE },
          failures: { problems: 0, empty: 0, saysNone: 0, withoutMarker: 0, loops: 0, limited: 0 },
          speed: {
            ...{ audioSeconds: 186, compute: 0.8, rtf: 0.004, rtfx: 228 },
            timing: { mel: 0.1, encoder: 0.2, prefill: 0.1, decode: 0.3 },
            ...{ firstToken: PERCENTILES, tokens: 977, tokensPerSecond: 2947, latency: PERCENTILES },
          },
          times: {
            ...{ utterances: 70, referenceEdges: 916, starts: EDGES, ends: EDGES, all: EDGES },
            ...{ meanInterval: RANGE, within80Interval: RANGE },
            odd: { words: 484, zeroLength: 0, nonMonotonic: 0, afterEnd: 0 },
          },
        },
      ],
      differences: [
        {
          ...{ dataset: 'held-out', normalizer: 'basic', first: 'fp32', second: 'int4', utterances: 70 },
          ...{ difference: -0.002, low: -0.01, high: 0.01, higher: 0.4, distinct: false },
        },
      ],
      machines: [
        {
          id: 'df27',
          machine: {
            ...{ cpu: 'AMD EPYC', cores: 2, features: ['avx2'], memoryGiB: 24, platform: 'linux-x64' },
            ...{ node: '20.19.0', onnxruntime: '1.30.0', executionProvider: 'cpu', threads: 1, workers: 1 },
          },
          results: 140,
        },
      ],
    },
  ],
}

const HINT = 'Use a newer version of this project, or take the manifest from the release again.'
/** What a release may lack, and figures that there may be none of. */
const OPTIONAL =
  /^(source\.revision|family|providers|selfTests\.0\.words|options\.(?!opset)\w+|tools\.\w+|software(\.(repository|commit|dirty))?|files\.0\.aliasOf|gates(\.0\.(unit|problem|note|clips|worstClip|fingerprints\.\w+))?|fidelity(\.0\.(ratio|problem))?|reference(\.\w+)?|recipes(\.int4(\.prompts)?)?|evaluation\.0\.(source|selection)\.\w+|evaluation\.0\.results\.0\.(times|speed\.(timing(\.decode)?|firstToken)))$/
const FREE = /^evaluation\.0\.(source|selection)\.\w+$/
const FIGURE =
  /\.(wer|cer|low|high|rtf|rtfx|tokensPerSecond|p\d\d|difference|higher)$|\.times\.(starts|ends|all)\.(mean|median|bias|within\d+)$|^gates\.0\.(found|limit)$|^fidelity\.0\.((kld|ratio)\.(mean|low|high|median|p99|max)|top1|cosine)$/

function refusalOf(value: unknown): string | undefined {
  try {
    parseManifest(JSON.stringify(value), 'manifest.json')
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}

const withFiles = (...files: object[]) => refusalOf({ ...MANIFEST, files })

describe('manifest.json', () => {
  it('is described key for key, in the order in which it is written', async () => {
    expect(JSON.stringify(v.parse(MANIFEST_SCHEMA, MANIFEST))).toBe(JSON.stringify(MANIFEST))
    const folder = await temporaryFolder()
    await writeManifest(folder, MANIFEST)
    expect(await readFile(join(folder, 'manifest.json'), 'utf8')).toBe(
      `${JSON.stringify(MANIFEST, undefined, 2)}\n`,
    )
    expect(await readManifest(folder)).toEqual(MANIFEST)
  })

  it('of an older release has no key that came later, and names fp32 as it was', () => {
    const {
      gates: _,
      fidelity: _1,
      reference: __,
      recipes: ___,
      family: _2,
      software: _3,
      options,
      ...older
    } = MANIFEST
    const manifest = { ...older, options: { opset: options.opset }, files: [FILE] }
    const written = JSON.stringify(manifest).replaceAll('"fp32"', '"FP32"')
    expect(written).toContain('"variants":["FP32"]')
    const { files, selfTests } = parseManifest(written, 'manifest.json')
    expect([files, selfTests]).toEqual([manifest.files, manifest.selfTests])
  })

  it('is refused with any key missing or of another type, and the sentence names the key', () => {
    const mutants = mutantsOf(MANIFEST)
    expect(mutants.length).toBeGreaterThan(400)
    for (const { path, found, value } of mutants) {
      const isRight =
        FREE.test(path) ||
        (found === undefined && OPTIONAL.test(path)) ||
        (found === null && FIGURE.test(path))
      const number =
        found === 7.5 &&
        (FIGURE.test(path) || /\.(timing\.\w+|audioSeconds|compute)$|words\.0\.(start|end)$/.test(path))
      const what = `${path} ${JSON.stringify(found)}`
      if (isRight || number) expect(refusalOf(value), what).toBeUndefined()
      else expect(refusalOf(value), what).toMatch(`manifest.json: ${path} is `)
    }
  })

  it('is not written with a value that could not be read', async () => {
    const folder = await temporaryFolder()
    const broken = { ...MANIFEST, files: [{ ...FILE, size: Number.NaN }] }
    await expect(writeManifest(folder, broken)).rejects.toThrow(
      'manifest.json: files.0.size is null, wanted a whole number from 0 to 9007199254740991.',
    )
    await expect(readManifest(folder)).rejects.toThrow(`${join(folder, 'manifest.json')} is missing.`)
  })

  it('drops keys that the schema does not have', () => {
    const more = { ...MANIFEST, later: 1, files: [{ ...FILE, later: {} }, ALIAS] }
    expect(parseManifest(JSON.stringify(more), 'manifest.json')).toEqual(MANIFEST)
  })

  const NAME =
    'a file name of at most 255 letters, digits, dots, dashes and underscores that every file system takes'
  it.each([
    ...[
      '',
      '.',
      '..',
      '../encoder.onnx',
      'a/b',
      'a\\b',
      '/etc/passwd',
      'C:x',
      '.hidden',
      'x.',
      'x ',
      'x\u0000',
    ],
    ...['CON', 'nul.onnx', 'Com1.data', 'lpt9', '-rf', 'é.onnx', 'encoder.onnx\n', 'a'.repeat(256)],
  ])('names no file %j', (path) => {
    const shown = JSON.stringify(path)
    expect(withFiles({ ...FILE, path })).toBe(
      `manifest.json: files.0.path is ${shown.length > 60 ? `${shown.slice(0, 57)}...` : shown}, wanted ${NAME}.`,
    )
    expect(withFiles(FILE, { ...ALIAS, aliasOf: path })).toMatch('manifest.json: files.1.aliasOf is ')
  })

  it.each(['a', 'a'.repeat(255), 'console.log', 'com', 'NULL', 'decoder_weights.int4.data', '_', '1-2'])(
    'may name a file %j',
    (path) => expect(withFiles({ ...FILE, path })).toBeUndefined(),
  )

  it.each([-1, 1.5, 2 ** 53, Number.POSITIVE_INFINITY, '9'])('gives no file the size %j', (size) => {
    expect(withFiles({ ...FILE, size })).toBe(
      `manifest.json: files.0.size is ${JSON.stringify(size)}, wanted a whole number from 0 to 9007199254740991.`,
    )
  })

  it('names each file once, on file systems that ignore case too, and an alias after its file', () => {
    expect(withFiles(FILE, { ...FILE, path: 'ENCODER.Onnx' })).toBe(
      'manifest.json: files.1.path is "ENCODER.Onnx", wanted a name that differs from encoder.onnx in more than case.',
    )
    const wanted = 'manifest.json: files.0.aliasOf is "encoder.onnx", wanted the name of a file before it.'
    expect(withFiles(ALIAS, FILE)).toBe(wanted)
    expect(withFiles({ ...FILE, aliasOf: 'encoder.onnx' })).toBe(wanted)
    expect(withFiles({ ...FILE, sha256: SHA256.toUpperCase() })).toContain(
      'wanted a SHA-256 of 64 hexadecimal digits in lower case.',
    )
  })

  it.each<[string, string]>([
    ['[]', 'manifest.json holds [], wanted an object.'],
    ['null', 'manifest.json holds null, wanted an object.'],
    ['{', 'manifest.json is not valid JSON (line 1, column 2).'],
    ['{"files": ["notes.txt"]}', 'manifest.json: format is missing, wanted 1.'],
    [JSON.stringify({ ...MANIFEST, format: 2 }), 'manifest.json: format is 2, wanted 1.'],
    [`${'['.repeat(200)}`, 'manifest.json is nested deeper than 100 levels at line 1, column 101.'],
    [
      JSON.stringify({ ...MANIFEST, files: { 0: FILE } }),
      'manifest.json: files is {"0":{"path":"encoder.onnx","size":5000000000,"sha256":"0..., wanted an array.',
    ],
  ])('%s', async (text, message) => {
    const folder = await temporaryFolder()
    const path = join(folder, 'manifest.json')
    await writeFile(path, text)
    await expect(readManifest(folder)).rejects.toMatchObject({
      message: message.replace('manifest.json', path),
      hint: HINT,
    })
  })
})
