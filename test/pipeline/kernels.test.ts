// SPDX-License-Identifier: Apache-2.0

import { createHash } from 'node:crypto'
import { link, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { describeMachine } from '../../eval/machine.ts'
import { graphFile, LAYOUTS, prefillRecipe } from '../../eval/runtime/graphs.ts'
import { steadyRows } from '../../eval/runtime/steady-rows.ts'
import { USUAL_CALIBRATION } from '../../pipeline/calibration-choice.ts'
import { BUNDLED_SPEECH } from '../../pipeline/models.ts'
import { calibrate } from '../../pipeline/quantize/calibration.ts'
import { quantizeVariant } from '../../pipeline/quantize/quantize-variant.ts'
import type { Recipe } from '../../pipeline/recipe-schema.ts'
import { recipeTag } from '../../pipeline/recipes.ts'
import { rowOf, waysOf } from '../../pipeline/variants.ts'
import type { Adding } from '../../scripts/integer-products.ts'
import { canMask, findSites, maskedRuntime, type OlderKernels } from '../../scripts/masked-runtime.ts'
import type { Decoded, DecodingJob } from '../helpers/kernel-decoding.ts'
import { onKernels } from '../helpers/kernel-job.ts'
import type { Products, ProductsJob } from '../helpers/kernel-products.ts'
import type { RowsJob } from '../helpers/kernel-rows.ts'
import { MADE } from '../helpers/places.ts'
import { sharedReleases, stagePython } from '../helpers/prepared.ts'
import { TINY_NAME } from '../helpers/tiny-release.ts'

/*
 * What the releases compute with the kernels of a processor without AVX-512, whatever this machine has. Where the runtime cannot be
 * masked, on ARM say, products are exact: that is what the probe must say then.
 */

const OLDER = canMask() ? 'avx2' : 'native'
const OLDER_ADDING: Adding = canMask() ? 'saturating' : 'exact'

const CLIPS = [0, 1, 2, 3, 4, 5].map((i) => join(BUNDLED_SPEECH, `held-out-00${i}.flac`))
/** Matrices: keys and values of the last layer are all that a prompt needs of it. */
const [PROMPT_WEIGHTS, DECODER_WEIGHTS, ENCODER_WEIGHTS] = [16, 22, 21]
/**
 * Of logits: activations are rounded to 8 bits by other operations, in the encoder too where it has weights of 8 bits. 0.09, 0.11,
 * 0.14, 0.17 and 0.06 were seen; int4 is 1.2 away from FP32.
 */
const LARGEST_DIFFERENCE: Readonly<Record<string, number>> = {
  ...{ int4: 0.15, 'int4-hq': 0.15, q8: 0.25, int8: 0.25, i8: 0.15 },
}
/** Rows of the table that are made here; int4 is in the release. */
const MADE_ROWS = ['int8', 'q8', 'int4-hq'] as const
/** A format of trials, for encoders too. */
const I8: Recipe = { decoder: [['*', 'i8']], encoder: [['*', 'i8']] }

let model = ''
beforeAll(async () => {
  model = join(await sharedReleases(), TINY_NAME)
})

describe.runIf(canMask())('the masked runtime', () => {
  const library = (folder: string) => join(folder, 'bin', 'napi-v6', 'linux', 'x64', 'libonnxruntime.so.1')
  const installed = dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'))
  const digest = async (path: string) =>
    createHash('sha256')
      .update(await readFile(path))
      .digest('hex')

  it('differs in the places that ask the processor, and nothing changes in the package itself', async () => {
    const before = await digest(library(installed))
    const bytes = await readFile(library(installed))
    const kinds = (kernels: 'avx2' | 'avx512') => findSites(bytes, kernels).map(({ kind }) => kind)
    expect(kinds('avx2')).toEqual([
      ...new Array(3).fill('states that the system saves'),
      ...new Array(2).fill('VNNI of AVX'),
    ])
    expect(kinds('avx512')).toEqual(['VNNI of AVX-512', ...new Array(2).fill('VNNI of AVX')])
    const copy = await readFile(library(await maskedRuntime('avx2')))
    for (const { at, bytes: others } of findSites(bytes, 'avx2')) bytes.set(others, at)
    expect(copy.equals(bytes)).toBe(true)
    expect(await digest(library(installed))).toBe(before)
  })

  it('is not made of a library that looks different', () => {
    const none = Buffer.from('a library without instructions')
    expect(() => findSites(none, 'avx2')).toThrow(
      'The kernels of this onnxruntime cannot be chosen: its library has no place that queries VNNI of AVX.',
    )
    const apart = Buffer.concat([Buffer.alloc(300), Buffer.from('0f01d0', 'hex'), Buffer.alloc(300)])
    expect(() => findSites(apart, 'avx2')).toThrow('its library has XGETBV away from CPUID at byte 300.')
  })
})

/** The files of the tiny release, with other variants beside its own. */
async function makeVariants(folder: string): Promise<void> {
  for (const name of await readdir(model))
    if (/\.(onnx|data|bin|json)$/.test(name)) await link(join(model, name), join(folder, name))
  const { signal } = new AbortController()
  const emit = () => undefined
  const [work, interpreter] = [join(folder, 'work'), await stagePython()]
  const python = { python: interpreter, log: join(folder, 'log'), onProgress: emit, signal }
  const { folder: calibration } = await calibrate({
    ...{ ...USUAL_CALIBRATION, clips: 9, model, work, threads: 1, judged: new Map() },
    ...{ python, emit, signal },
  })
  const making = { from: model, to: folder, work: join(folder, 'making'), python, signal, emit }
  for (const name of MADE_ROWS)
    await quantizeVariant(making, name, rowOf(name).recipe ?? expect.fail(name), {
      ...{ accuracyLevel: 4, calibration },
    })
  await quantizeVariant(making, 'i8', I8, { accuracyLevel: 4, decoders: LAYOUTS.fused, calibration })
}

describe('on the kernels of an older processor', () => {
  let folder = ''
  beforeAll(async () => {
    folder = await mkdtemp(join(MADE, 'kernels-'))
    await makeVariants(folder)
    return () => rm(folder, { recursive: true })
  })

  it('no product of 8 bits saturates, and the same weights at 8 bits instead of 7 do', async () => {
    const job: ProductsJob = {
      ...{ folder, stretches: [null, 127] },
      files: [
        ...['int4', 'int4-hq'].map((name) => prefillRecipe(name)),
        ...[graphFile('decoder', 'int8'), graphFile('encoder', 'i8')],
      ],
      blocks: [
        ...['int4', 'int4-hq', 'q8'].map((variant) => graphFile('decoder', variant)),
        graphFile('encoder', 'q8'),
      ],
      convolutions: [graphFile('encoder', 'i8')],
    }
    const products = (kernels: OlderKernels | 'native') =>
      onKernels<Products>(kernels, 'kernel-products.ts', job)
    const [native, older] = [await products('native'), await products(OLDER)]
    const { features } = describeMachine(1)
    const hasVnni = features.some((feature) => feature === 'avx512_vnni' || feature === 'avx_vnni')
    if (canMask()) expect(native.adding).toBe(hasVnni ? 'exact' : 'saturating')
    expect(older.adding).toBe(OLDER_ADDING)
    const weights = 2 * PROMPT_WEIGHTS + DECODER_WEIGHTS + ENCODER_WEIGHTS
    for (const { adding, tried, blocks, convolutions } of [native, older]) {
      expect(convolutions).toEqual([
        { convolutions: 2, wrong: 0, of: expect.any(Number), stretched: expect.any(Number) },
      ])
      const [{ of, stretched: wrongAt127 } = { of: 0, stretched: 0 }] = convolutions
      if (adding === 'exact') expect(wrongAt127).toBe(0)
      else expect(wrongAt127 / of).toBeGreaterThan(0.2)
      const [own, stretched] = tried
      expect(own).toMatchObject({ weights, level: 64, wrong: 0, off: 0 })
      expect(stretched?.level).toBe(127)
      if (adding === 'exact') expect(stretched?.wrong).toBe(0)
      else expect((stretched?.wrong ?? 0) / (stretched?.of ?? 0)).toBeGreaterThan(0.3)
      // sums of what is added, in float32
      const counts = [...Array(3).fill(DECODER_WEIGHTS), ENCODER_WEIGHTS]
      expect(blocks.map(({ weights }) => weights)).toEqual(counts)
      for (const [i, { off }] of blocks.entries()) expect(off, job.blocks[i]).toBeLessThan(1e-5)
    }
    if (!canMask() || !features.includes('avx512f')) return
    const { adding } = await onKernels<Products>('avx512', 'kernel-products.ts', {
      ...{ folder, files: [], blocks: [], stretches: [], convolutions: [] },
    })
    expect(adding).toBe('saturating')
  })

  it('a row of 8-bit products has the same bits alone and among others', async () => {
    const options = { accuracyLevel: 4 }
    const tags = Object.fromEntries(
      ['q8', 'int8'].map((name) => [
        name,
        recipeTag(rowOf(name).recipe ?? expect.fail(name), options.accuracyLevel),
      ]),
    )
    expect(Object.values(tags).map(steadyRows)).toEqual([1, 1])
    const job: RowsJob = { folder, tags }
    for (const kernels of ['native', OLDER] as const)
      expect(await onKernels(kernels, 'kernel-rows.ts', job), kernels).toEqual({ q8: true, int8: true })
  })

  it('every path says the same, with logits that differ by rounding alone', async () => {
    const paths: DecodingJob['paths'] = [
      ...['int4', ...MADE_ROWS].flatMap((variant) =>
        waysOf(variant, { prompts: 'int8' }, { prefillInt8: true }).map((way) => ({ variant, ...way })),
      ),
      { variant: 'i8', layout: 'fused', prefill: 'same' },
    ]
    expect(paths.map(({ variant, layout, prefill }) => `${variant} ${layout} ${prefill}`)).toEqual([
      ...['int4 fused int8', 'int4 fused same', 'int4 split same'],
      ...['int8 fused same', 'int8 split same', 'q8 fused same', 'q8 split same'],
      ...['int4-hq fused int8', 'int4-hq fused same', 'int4-hq split same', 'i8 fused same'],
    ])
    const job: DecodingJob = { folder, paths, clips: CLIPS }
    type Result = { readonly adding: Adding; readonly decoded: readonly (readonly Decoded[])[] }
    const native = await onKernels<Result>('native', 'kernel-decoding.ts', job)
    const older = await onKernels<Result>(OLDER, 'kernel-decoding.ts', { ...job, along: native.decoded })
    expect(older.adding).toBe(OLDER_ADDING)
    for (const [i, { variant, layout, prefill }] of paths.entries()) {
      const name = `${variant} ${layout} ${prefill}`
      const [wanted = [], found = []] = [native.decoded[i], older.decoded[i]]
      expect(
        found.map(({ tokens }) => tokens),
        name,
      ).toEqual(wanted.map(({ tokens }) => tokens))
      const difference = Math.max(...found.map((own, j) => largestDifference(own, wanted[j] as Decoded)))
      expect(difference, name).toBeLessThan(LARGEST_DIFFERENCE[variant] ?? 0)
      if (native.adding !== older.adding) expect(difference, name).toBeGreaterThan(0) // other kernels ran
    }
  })
})

function largestDifference(found: Decoded, wanted: Decoded): number {
  const [a, b] = [found, wanted].map(
    ({ logits }) => new Float32Array(Uint8Array.from(Buffer.from(logits, 'base64')).buffer),
  )
  if (!a || a.length !== b?.length) return Number.NaN
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] as number))), 0)
}
