import { createHash } from 'node:crypto'
import { link, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { describeMachine } from '../../eval/machine.ts'
import { graphFile, prefillRecipe } from '../../eval/runtime/graphs.ts'
import { BUNDLED_SPEECH } from '../../pipeline/models.ts'
import { quantizeVariant } from '../../pipeline/quantize/quantize-variant.ts'
import type { Recipe } from '../../pipeline/recipe-schema.ts'
import type { Adding } from '../../scripts/integer-products.ts'
import { canMask, findSites, maskedRuntime } from '../../scripts/masked-runtime.ts'
import type { Decoded, DecodingJob } from '../helpers/kernel-decoding.ts'
import { onKernels } from '../helpers/kernel-job.ts'
import type { Products, ProductsJob } from '../helpers/kernel-products.ts'
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
/** Of logits: activations are rounded to 8 bits by other operations. 0.09, 0.14 and 0.06 were seen; int4 is 1.2 away from FP32. */
const LARGEST_DIFFERENCE: Readonly<Record<string, number>> = { int4: 0.15, q8: 0.25, i8: 0.15 }

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
      'The kernels of this onnxruntime cannot be chosen: its library has no place that asks for VNNI of AVX.',
    )
    const apart = Buffer.concat([Buffer.alloc(300), Buffer.from('0f01d0', 'hex'), Buffer.alloc(300)])
    expect(() => findSites(apart, 'avx2')).toThrow('its library has XGETBV away from CPUID at byte 300.')
  })

  it('adds pairs of products in 16 bits, as processors without VNNI do', async () => {
    const { features } = describeMachine(1)
    const hasVnni = features.some((feature) => feature === 'avx512_vnni' || feature === 'avx_vnni')
    const adding = async (kernels: 'native' | 'avx2' | 'avx512') => {
      const job: DecodingJob = { folder: model, paths: [], clips: [] }
      return (await onKernels<{ adding: Adding }>(kernels, 'kernel-decoding.ts', job)).adding
    }
    expect(await adding('native')).toBe(hasVnni ? 'exact' : 'saturating')
    expect(await adding('avx2')).toBe('saturating')
    if (features.includes('avx512f')) expect(await adding('avx512')).toBe('saturating')
  })
})

/** The files of the tiny release, with other variants beside its own. */
async function makeVariants(folder: string, recipes: Readonly<Record<string, Recipe>>): Promise<void> {
  for (const name of await readdir(model))
    if (/\.(onnx|data|bin|json)$/.test(name)) await link(join(model, name), join(folder, name))
  const { signal } = new AbortController()
  const python = {
    ...{ python: await stagePython(), log: join(folder, 'log'), onProgress: () => undefined, signal },
  }
  const making = {
    from: model,
    to: folder,
    work: join(folder, 'work'),
    python,
    signal,
    emit: () => undefined,
  }
  for (const [name, recipe] of Object.entries(recipes))
    await quantizeVariant(making, name, recipe, { accuracyLevel: 4 })
}

describe('on the kernels of an older processor', () => {
  let folder = ''
  beforeAll(async () => {
    folder = await mkdtemp(join(MADE, 'kernels-'))
    const i8: Recipe = { decoder: [['*', 'i8']], encoder: [['*', 'i8']] }
    const q8: Recipe = { decoder: [['*', 'q8b64']], encoder: [['*', 'q8b64']] }
    await makeVariants(folder, { i8, q8 })
    return () => rm(folder, { recursive: true })
  })

  it('no product of 8 bits saturates, and the same weights at 8 bits instead of 7 do', async () => {
    const files = [prefillRecipe('int4'), graphFile('decoder', 'i8'), graphFile('encoder', 'i8')]
    const products = (kernels: 'native' | 'avx2', more: Partial<ProductsJob> = {}) =>
      onKernels<Products>(kernels, 'kernel-products.ts', { folder, files, ...more })
    const [native, older] = [await products('native'), await products(OLDER)]
    for (const found of [native, older]) expect(found).toMatchObject({ level: 64, wrong: 0, off: 0 })
    expect(older.weights).toBe(PROMPT_WEIGHTS + DECODER_WEIGHTS + ENCODER_WEIGHTS)
    expect(older.adding).toBe(OLDER_ADDING)
    const stretched = await products(OLDER, { stretched: 127 })
    expect(stretched.level).toBe(127)
    if (OLDER_ADDING === 'exact') expect(stretched.wrong).toBe(0)
    else expect(stretched.wrong / stretched.of).toBeGreaterThan(0.3)
    if (native.adding === 'exact') expect((await products('native', { stretched: 127 })).wrong).toBe(0)
  })

  it('every path says the same, with logits that differ by rounding alone', async () => {
    const paths: DecodingJob['paths'] = [
      { variant: 'int4', layout: 'fused', prefill: 'int8' },
      { variant: 'int4', layout: 'fused', prefill: 'same' },
      { variant: 'int4', layout: 'split', prefill: 'same' },
      { variant: 'q8', layout: 'fused', prefill: 'same' },
      { variant: 'q8', layout: 'split', prefill: 'same' },
      { variant: 'i8', layout: 'fused', prefill: 'same' },
      { variant: 'i8', layout: 'split', prefill: 'same' },
    ]
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
