// SPDX-License-Identifier: Apache-2.0

import { copyFile, link, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { execa } from 'execa'
import { expect, it } from 'vitest'
import { defined } from '../../eval/runtime/defined.ts'
import { openEmbeddings } from '../../eval/runtime/embeddings.ts'
import { DECODERS, EMBEDDINGS, graphFile, JSON_FILES } from '../../eval/runtime/graphs.ts'
import { PROJECT } from '../../eval/runtime/project.ts'
import { openQuantizedEmbeddings } from '../../eval/runtime/quantized-embeddings.ts'
import { Qwen3Asr } from '../../eval/runtime/qwen3-asr.ts'
import { openRelease } from '../../eval/runtime/release.ts'
import { openModel } from '../../graph-tools/model.ts'
import { BUNDLED_SPEECH } from '../../pipeline/models.ts'
import { runPython } from '../../pipeline/python/run-python.ts'
import { quantizeVariant } from '../../pipeline/quantize/quantize-variant.ts'
import type { Recipe, Rule } from '../../pipeline/recipe-schema.ts'
import { releaseProblems } from '../../pipeline/release/contract-problems.ts'
import { rowOf, variantFiles } from '../../pipeline/variants.ts'
import { runCli } from '../helpers/cli.ts'
import { editedCommands } from '../helpers/commands.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { sharedReleases, stagePython } from '../helpers/prepared.ts'
import { copyTinyRelease, TINY_NAME } from '../helpers/tiny-release.ts'

it('a variant without gates is not packaged, however it came into the folder', async () => {
  const row = "bare: { about: 'proved by nothing', gates: {} },"
  const module = await editedCommands('without-gates', 'pipeline/variants.ts', (code) => {
    expect(code).toContain('const VARIANTS = {')
    return code.replace('const VARIANTS = {', `const VARIANTS = { ${row}`)
  })
  const model = await copyTinyRelease()
  for (const graph of DECODERS)
    await link(join(model, graphFile(graph, 'int4')), join(model, graphFile(graph, 'bare')))
  const run = (...args: string[]) =>
    execa(process.execPath, [module('pipeline/main.ts'), 'package', model, ...args], {
      ...{ cwd: PROJECT, reject: false },
      env: { CI: 'true' },
    })
  const ended = await run('--variants', 'fp32,int4,bare')
  expect(ended.stdout).toContain('is not packaged: bare has no gates: nothing proves it.')
  expect(ended.exitCode).toBe(3)
  // the same commands take what is proved
  await rm(join(model, 'release'), { recursive: true })
  expect((await run('--variants', 'fp32,int4')).exitCode).toBe(0)
})

/** Bits and block size of each MatMulNBits. */
function productsOf({ graph }: ReturnType<typeof openModel>): (bigint | undefined)[][] {
  return graph.nodes
    .filter(({ opType }) => opType === 'MatMulNBits')
    .map(({ attributes }) =>
      ['bits', 'block_size'].map((name) => attributes.find((attribute) => attribute.name === name)?.i),
    )
}

it('q8 has 8-bit weights in blocks of 64, transcribes as it should, and is not packaged before it is measured', async () => {
  const model = await copyTinyRelease()
  const made = await runCli([
    ...['--model', 'tiny', '--output', dirname(model), '--variants', 'fp32,q8'],
    ...['--until', 'quantize'],
  ])
  expect(made.stdout).toContain('[rewrite] skipped')
  expect(made.exitCode).toBe(0)
  for (const graph of DECODERS) {
    const decoder = openModel(join(model, graphFile(graph, 'q8')))
    expect(productsOf(decoder)).toEqual(Array(22).fill([8n, 64n]))
  }
  const encoder = openModel(join(model, graphFile('encoder', 'q8')))
  expect(productsOf(encoder)).toEqual(Array(21).fill([8n, 64n]))
  expect(encoder.tensors.every(({ location }) => location === undefined)).toBe(true)
  const size = async (name: string) => (await stat(join(model, name))).size
  expect(await size('encoder.q8.onnx')).toBeLessThan(0.31 * (await size('encoder.onnx')))
  const release = await openRelease(model)
  expect(release.variants.map(({ name }) => name)).toEqual(['fp32', 'q8']) // what int4 left is gone
  expect(release.variant('q8').precision.get('encoder')).toBe(
    'int8 MatMulNBits round-to-nearest, block 64, asymmetric, accuracy level 4',
  )
  expect(release.variant('q8').precision.get('decoder')).toBe(
    'int8 MatMulNBits round-to-nearest, block 64, asymmetric, accuracy level 4',
  )
  await using asr = await Qwen3Asr.load(model, { variant: 'q8', threads: 1 })
  const { text } = await asr.transcribe(join(BUNDLED_SPEECH, 'held-out-000.flac'))
  expect(text).toBe('One seven zero two nine two.')
  const ended = await runCli([model], {}, 'package')
  expect(ended.stdout).toMatch(/ is not packaged: Not measured: any of the \d+ gates\.\n/)
  expect(ended.exitCode).toBe(3)
})

it('a recipe gives each weight the format of the first rule that fits, and has no rule in vain', async () => {
  const model = await copyTinyRelease()
  const out = await temporaryFolder()
  const quantize = async (...decoder: Rule[]) => {
    const recipe = join(out, 'recipe.json')
    await writeFile(recipe, JSON.stringify({ variant: 'x', decoder, accuracyLevel: 4 }))
    await runPython(
      'quantize/quantize.py',
      ['--models', join(model, 'decoder.onnx'), '--out', out, '--recipe', recipe],
      {
        ...{ python: await stagePython(), log: join(out, 'log'), onProgress: () => undefined },
        signal: new AbortController().signal,
      },
    )
    const { nodes } = openModel(join(out, 'decoder.x.onnx')).graph
    return nodes
      .filter(({ opType }) => opType === 'MatMulNBits')
      .map(({ inputs, attributes }) => {
        const [bits, block] = ['bits', 'block_size'].map(
          (name) => attributes.find((attribute) => attribute.name === name)?.i,
        )
        return `${inputs[1]?.replace(/_Q\d$/, '')} ${bits} ${block}`
      })
  }
  expect(await quantize(['lm_head', 'f32'], ['attention', 'q8b32'], ['layers.0.*', 'q4b16'])).toEqual([
    ...[0, 1, 2].flatMap((layer) => [
      ...['k', 'v', 'q', 'o'].map((name) => `layers.${layer}.${name} 8 32`),
      ...(layer === 0 ? ['gate', 'up', 'down'].map((name) => `layers.0.${name} 4 16`) : []),
    ]),
  ])
  const vain: readonly (readonly [Rule, Rule])[] = [
    [
      ['head', 'q8b64'],
      ['*', 'q4b64'],
    ],
    [
      ['*', 'q4b64'],
      ['head', 'q8b64'],
    ],
  ]
  for (const rules of vain) {
    await expect(quantize(...rules)).rejects.toMatchObject({
      message: "The recipe's rule for head decides about no weight.",
      hint: 'Wanted attention, mlp, or a pattern of names: layers.*.down, layers.*.gate, layers.*.k, layers.*.o, layers.*.q, layers.*.up, layers.*.v, lm_head.',
    })
  }
  await expect(quantize(['*', 'q4b64'], ['lm_head', 'q8b64'])).rejects.toMatchObject({
    message: "The recipe's rule for lm_head decides about no weight.",
    hint: 'An earlier rule takes its weights: put lm_head before *.',
  })
})

/** A variant made of the shared release's FP32 graphs, in a folder that has nothing else but `more` of it. */
async function makeVariant(variant: string, recipe: Recipe, more: readonly string[] = []): Promise<string> {
  const [from, to] = [join(await sharedReleases(), TINY_NAME), await temporaryFolder()]
  for (const file of [...JSON_FILES, ...more]) await copyFile(join(from, file), join(to, file))
  const signal = new AbortController().signal
  const python = { python: await stagePython(), log: join(to, 'log'), onProgress: () => undefined, signal }
  const making = { from, to, work: join(to, 'work'), python, emit: () => undefined, signal }
  await quantizeVariant(making, variant, recipe, { accuracyLevel: 4 })
  return to
}

it('compact needs no embed_tokens.bin, is complete without the split layout, and is refused in it', async () => {
  const { decoder, embeddings, prompts } = rowOf('compact').recipe as Recipe
  const encoder: Rule[] = [['*', 'q8b128']]
  const recipe = { decoder, encoder, ...defined({ embeddings, prompts }) } // without what a calibration makes
  const folder = await makeVariant('compact', recipe)
  const files = variantFiles('compact', { prefillInt8: true })
  expect(files).not.toContain(EMBEDDINGS)
  expect((await readdir(folder)).filter((name) => name !== 'log').sort()).toEqual([...files].sort())
  expect(await releaseProblems(folder, files)).toEqual([])
  expect(JSON.parse(await readFile(join(folder, 'embed_tokens.compact.json'), 'utf8'))).toMatchObject({
    ...{ data: 'decoder_weights.compact.data', bits: 8, block_size: 64, shape: [448, 128] },
  })
  for (const prefill of ['int8', 'same'] as const) {
    await using asr = await Qwen3Asr.load(folder, { threads: 1, prefill })
    const { text } = await asr.transcribe(join(BUNDLED_SPEECH, 'held-out-000.flac'))
    expect(text).toBe('One seven zero two nine two.')
  }
  await expect(Qwen3Asr.load(folder, { layout: 'split' })).rejects.toMatchObject({
    message: `compact in ${folder} cannot be run in the split layout: it has the fused layout only.`,
    hint: 'Leave the layout out, or choose another variant.',
  })
  const table = await openQuantizedEmbeddings(folder, 'embed_tokens.compact.json', [448, 128])
  const exact = openEmbeddings(join(await sharedReleases(), TINY_NAME, EMBEDDINGS), [448, 128])
  const [found, wanted] = [new Float32Array(128), new Float32Array(128)]
  for (let id = 0; id < 448; id++) {
    table.read(id, found)
    exact.read(id, wanted)
    const range = Math.max(...wanted) - Math.min(...wanted)
    // rounded to 255 levels of a block
    expect(Math.max(...found.map((value, i) => Math.abs(value - (wanted[i] ?? 0))))).toBeLessThan(range / 400)
  }
  table.close()
  exact.close()
  await truncate(join(folder, 'decoder_weights.compact.data'), 1000)
  expect(
    (await releaseProblems(folder, files)).some((problem) => / ends at byte 1000, wanted /.test(problem)),
  ).toBe(true)
})

it('prompts in 8 bits take weights of mixed bits and blocks, and FP32 ones', async () => {
  const decoder: Rule[] = [
    ['layers.0.*', 'q8b32'],
    ['layers.1.down', 'f32'],
    ['attention', 'q4b32s'],
    ['lm_head', 'f32'],
    ['*', 'q8b128s'],
  ]
  const folder = await makeVariant('mixed', { decoder, prompts: 'int8' }, [EMBEDDINGS])
  const { weights, ...whole } = JSON.parse(await readFile(join(folder, 'decoder_prefill.mixed.json'), 'utf8'))
  expect(whole).not.toHaveProperty('block_size')
  const sizes = Object.fromEntries(
    weights.map((weight: { name: string; bits: number; block_size: number; zero_points?: number }) => [
      weight.name,
      [weight.bits, weight.block_size, 'zero_points' in weight],
    ]),
  )
  expect(sizes).toMatchObject({
    ...{ 'layers.0.k': [8, 32, true], 'layers.1.q': [4, 32, false], 'layers.1.gate': [8, 128, false] },
  })
  expect(Object.keys(sizes)).not.toContain('layers.1.down')
  expect(Object.keys(sizes)).not.toContain('lm_head')
  for (const prefill of ['int8', 'same'] as const) {
    await using asr = await Qwen3Asr.load(folder, { threads: 1, prefill })
    const { text } = await asr.transcribe(join(BUNDLED_SPEECH, 'held-out-000.flac'))
    expect(text).toBe('One seven zero two nine two.')
  }
})
