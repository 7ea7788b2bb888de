// SPDX-License-Identifier: Apache-2.0

import { readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { execa } from 'execa'
import type { onnx as Onnx } from 'onnx-proto'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { seededRandom } from '../../eval/random.ts'
import { loadClip } from '../../eval/runtime/audio/clip.ts'
import { argmax } from '../../eval/runtime/decoder.ts'
import { type EmbeddingTable, openEmbeddings } from '../../eval/runtime/embeddings.ts'
import { openEncoder } from '../../eval/runtime/encoder.ts'
import { startEncoder } from '../../eval/runtime/encoder-thread.ts'
import { openFusedDecoder } from '../../eval/runtime/fused-decoder.ts'
import type { PrefillKind } from '../../eval/runtime/graphs.ts'
import { logMel, MEL_BINS, type Mel } from '../../eval/runtime/mel.ts'
import { InferenceSession, type Tensor } from '../../eval/runtime/onnxruntime.ts'
import { preparePrefill } from '../../eval/runtime/prefill.ts'
import type { PromptInput } from '../../eval/runtime/prompt.ts'
import { openRelease, type Release } from '../../eval/runtime/release.ts'
import type { ReleaseConfig } from '../../eval/runtime/release-config.ts'
import { BUNDLED_SPEECH } from '../../pipeline/models.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { sharedReleases, stagePython } from '../helpers/prepared.ts'
import { TINY_NAME } from '../helpers/tiny-release.ts'

const { ModelProto } = (createRequire(import.meta.url)('onnx-proto') as { onnx: typeof Onnx }).onnx

const SEQUENCES = 9
const TOKENS = 80

let model = ''
let release: Release
let config: ReleaseConfig
let embeddings: EmbeddingTable
let inputs: PromptInput[] = []

beforeAll(async () => {
  model = join(await sharedReleases(), TINY_NAME)
  release = await openRelease(model)
  config = release.config
  embeddings = openEmbeddings(join(model, 'embed_tokens.bin'), config.embeddingShape)
  const random = seededRandom(5)
  inputs = Array.from({ length: SEQUENCES }, () => {
    const ids = Array.from({ length: 5 + Math.floor(random() * 90) }, () =>
      Math.floor(random() * config.vocabSize),
    )
    return { prompt: { ids, audioOffset: 0 }, features: new Float32Array(0) }
  })
  return () => embeddings.close()
})

/** The bits of all logits of every sequence, decoded greedily; sequence i ends after TOKENS - i tokens. */
async function decodeAll(variant: string, batch: number, prefill: PrefillKind = 'same'): Promise<string[][]> {
  const source = { release, variant: release.variant(variant) }
  const options = { threads: 2, isSteady: true }
  const opening = prefill === 'int8' ? preparePrefill(source) : undefined
  const decoder = await openFusedDecoder(source, embeddings, options, opening)
  const bits = inputs.map((): string[] => [])
  const active: { readonly index: number; token: number }[] = []
  const take = (index: number, logits: Float32Array) => {
    bits[index]?.push(Buffer.from(logits.slice().buffer).toString('base64'))
    return { index, token: argmax(logits) }
  }
  for (let next = 0; next < inputs.length || active.length > 0; ) {
    while (active.length < batch && next < inputs.length) {
      active.push(take(next, await decoder.prefill([inputs[next] as PromptInput])))
      next++
    }
    const logits = await decoder.step(active.map(({ token }) => token))
    for (const [row, { index }] of active.entries())
      active[row] = take(index, logits.subarray(row * config.vocabSize, (row + 1) * config.vocabSize))
    for (let row = active.length - 1; row >= 0; row--) {
      const { index } = active[row] as (typeof active)[number]
      if ((bits[index]?.length ?? 0) < TOKENS - index) continue
      decoder.remove(row)
      const last = active.pop()
      if (last && row < active.length) active[row] = last
    }
  }
  await decoder.release()
  return bits
}

describe('a steady decoder', () => {
  for (const [variant, prefill] of [
    ['fp32', 'same'],
    ['int4', 'same'],
    ['int4', 'int8'],
  ] as const) {
    it(`gives every sequence the same bits in batches of any size, ${variant}, prompts ${prefill}`, async () => {
      const alone = await decodeAll(variant, 1, prefill)
      expect(alone.map(({ length }) => length)).toEqual(inputs.map((_, i) => TOKENS - i))
      for (const batch of [2, 3, 8]) {
        const together = await decodeAll(variant, batch, prefill)
        expect(together.map((own, i) => own.every((logits, at) => logits === alone[i]?.[at]))).toEqual(
          inputs.map(() => true),
        )
      }
    })
  }
})

describe('a draft behind a prompt', () => {
  const cases = [
    ['fp32', 'same'],
    ['int4', 'same'],
    ['int4', 'int8'],
  ] as const
  it.each(cases)('has the logits of a step for each of its tokens, %s, prompts %s', async (variant, kind) => {
    const source = { release, variant: release.variant(variant) }
    const prefill = kind === 'int8' ? preparePrefill(source) : undefined
    const decoder = await openFusedDecoder(source, embeddings, { threads: 1 }, prefill)
    expect(decoder.takesDrafts).toBe(true)
    const { vocabSize } = config
    const [first, second] = inputs as [PromptInput, PromptInput]
    await decoder.prefill([second]) // another row, which must stay as it is
    const before = (await decoder.step([3])).slice()
    decoder.clear()
    const wanted = [(await decoder.prefill([first])).slice()]
    const draft = [argmax(wanted[0] as Float32Array), 7, 11] // the second one and the third are wrong
    for (const token of draft) wanted.push((await decoder.step([token])).slice())
    decoder.clear()
    await decoder.prefill([second])
    const found = (await decoder.prefill([first], draft)).slice()
    expect(found.length).toBe(4 * vocabSize)
    const worst = Math.max(
      ...wanted.flatMap((logits, i) =>
        Array.from(logits, (value, k) => Math.abs(value - (found[i * vocabSize + k] as number))),
      ),
    )
    const limit = 1e-4
    expect(worst).toBeLessThan(limit)
    // with the wrong tokens taken back, it goes on as if they had never been there
    decoder.shorten(1, 2)
    const both = await decoder.step([3, 7])
    const close = (a: Float32Array, b: Float32Array) =>
      a.every((v, i) => Math.abs(v - (b[i] as number)) < limit)
    expect(close(both.subarray(0, vocabSize), before)).toBe(true)
    expect(close(both.subarray(vocabSize), wanted[2] as Float32Array)).toBe(true)
    await expect(decoder.prefill([first, second], draft)).rejects.toThrow('A draft was given with 2 prompts.')
    await decoder.release()
  })
})

describe('the head of prompts that have a context', () => {
  const HEAD = 40
  it.each([
    ['fp32', 'same'],
    ['int4', 'same'],
    ['int4', 'int8'],
  ] as const)('is computed once, with the same logits, %s, prompts %s', async (variant, kind) => {
    const source = { release, variant: release.variant(variant) }
    const prefill = kind === 'int8' ? preparePrefill(source) : undefined
    const decoder = await openFusedDecoder(source, embeddings, { threads: 1 }, prefill)
    const random = seededRandom(21)
    const ids = (count: number) =>
      Array.from({ length: count }, () => Math.floor(random() * config.vocabSize))
    const [context, other] = [ids(HEAD), ids(HEAD)]
    const [a, b] = [ids(30), ids(70)]
    const input = (head: readonly number[], rest: readonly number[], isKept: boolean): PromptInput => ({
      prompt: { ids: [...head, ...rest], audioOffset: isKept ? HEAD : 0 },
      features: new Float32Array(0),
    })
    /** The prompt's logits, those after a draft of two of which one is taken back, and those of two steps. */
    const decode = async (prompt: PromptInput) => {
      const logits = [...(await decoder.prefill([prompt], [5, 6]))]
      decoder.shorten(decoder.rows - 1, 1)
      for (const token of [7, 8]) {
        const all = await decoder.step(new Array<number>(decoder.rows).fill(token))
        logits.push(...all.subarray(all.length - config.vocabSize))
      }
      return logits
    }
    const { prototype } = InferenceSession as unknown as { prototype: InferenceSession }
    const run = vi.spyOn(prototype, 'run')
    const positions = () => {
      const fed = run.mock.calls.map(([feeds]) => (feeds as Record<string, Tensor>)['input_embeds'])
      run.mockClear()
      return fed.map((embeds) => embeds?.dims[1] ?? 0).filter((length) => length > 3)
    }
    const plain = [await decode(input(context, a, false)), await decode(input(context, b, false))]
    plain.push(await decode(input(other, b, false)))
    positions()
    decoder.clear()
    const kept = [await decode(input(context, a, true)), await decode(input(context, b, true))]
    const spent = positions()
    kept.push(await decode(input(other, b, true)))
    const [last, draft] = kind === 'int8' ? [1, 0] : [0, 2]
    expect(spent).toEqual([HEAD, a.length - last + draft, b.length - last + draft])
    expect(positions()).toEqual([HEAD, b.length - last + draft])
    run.mockRestore()
    await decoder.release()
    // 4-bit products round activations to 8 bits, where the last bit of a sum may decide
    const limit = variant === 'int4' && kind === 'same' ? 0.1 : 1e-4
    for (const [i, logits] of plain.entries()) {
      const differences = logits.map((value, k) => Math.abs(value - (kept[i]?.[k] as number)))
      expect(Math.max(...differences)).toBeLessThan(limit)
    }
  })
})

it('the graph of prompts joins past and prompt before their products, where a step joins scores', async () => {
  const operators = async (file: string) => {
    const { graph } = ModelProto.decode(await readFile(join(model, file)))
    const all = (graph?.node ?? []).map(({ opType }) => opType)
    return (operator: string) => all.filter((other) => other === operator).length
  }
  const [prompts, steps] = [
    await operators('decoder_prefill.int4.onnx'),
    await operators('decoder.int4.onnx'),
  ]
  // the last layer's attention reaches logits alone, which prompts do not have
  const { layers } = config.cache
  expect([prompts('Softmax'), prompts('MatMul'), prompts('Split')]).toEqual([layers - 1, 2 * (layers - 1), 0])
  expect([steps('Softmax'), steps('MatMul'), steps('Split')]).toEqual([layers, 4 * layers, layers])
})

it('in every graph of a release a node follows what it reads, as the ONNX specification (IR.md) requires', async () => {
  const graphs = (await readdir(model)).filter((name) => name.endsWith('.onnx'))
  expect(graphs).toContain('decoder_prefill.int4.onnx')
  for (const file of graphs) {
    const { graph } = ModelProto.decode(await readFile(join(model, file)))
    const known = new Set([
      '',
      ...[...(graph?.input ?? []), ...(graph?.initializer ?? [])].map(({ name }) => name),
    ])
    const early = (graph?.node ?? []).filter((node) => {
      const reads = (node.input ?? []).every((name) => known.has(name))
      for (const name of node.output ?? []) known.add(name)
      return !reads
    })
    expect(
      early.map(({ name }) => name),
      file,
    ).toEqual([])
  }
})

describe('what GPUs need of the fused graphs', () => {
  it.each(['same', 'int8'])('no tensor without elements is fed, prompts %s', async (kind) => {
    const { prototype } = InferenceSession as unknown as { prototype: InferenceSession }
    const run = vi.spyOn(prototype, 'run')
    const source = { release, variant: release.variant('int4') }
    const prefill = kind === 'int8' ? preparePrefill(source) : undefined
    const decoder = await openFusedDecoder(source, embeddings, { threads: 1 }, prefill)
    await decoder.prefill(inputs.slice(0, 2))
    await decoder.step([1, 2])
    await decoder.release()
    const fed = run.mock.calls.flatMap(([feeds]) => Object.entries(feeds))
    run.mockRestore()
    expect(fed.length).toBeGreaterThan(0)
    expect(fed.filter(([, tensor]) => tensor.size === 0).map(([name]) => name)).toEqual([])
  })

  it('keys are transposed by ONNX operators, which onnxruntime fuses, bit for bit', async () => {
    const graphs = ['decoder.onnx', 'decoder.int4.onnx']
    const { stdout } = await execa(await stagePython(), ['test/helpers/check_fused.py', model, ...graphs])
    // the past's and the new keys of each layer
    const wanted = { written: 0, run: 2 * config.cache.layers, same: true }
    expect(stdout.split('\n').map((line) => JSON.parse(line))).toEqual([wanted, wanted])
  })
})

describe('the encoder', () => {
  it.each(['fp32', 'int4'])('gives the same bits window by window as at once, %s', async (variant) => {
    const random = seededRandom(9)
    const { prototype } = InferenceSession as unknown as { prototype: InferenceSession }
    const setup = { folder: model, variant, threads: 2 }
    const whole = { ...release, config: { ...config, windowFrames: undefined } }
    const encoders = await Promise.all([
      openEncoder({ release: whole, variant: release.variant(variant) }, setup),
      openEncoder({ release, variant: release.variant(variant) }, setup),
      startEncoder(setup), // in a thread
    ])
    for (const frames of [37, 800, 801, 2350]) {
      const mel = { frames, data: Float32Array.from({ length: MEL_BINS * frames }, () => 2 * random() - 1) }
      const runs = vi.spyOn(prototype, 'run')
      const [atOnce, parts, apart] = await Promise.all(encoders.map((encoder) => encoder.run(mel)))
      expect(parts).toEqual(atOnce)
      expect(apart).toEqual(atOnce)
      expect(runs.mock.calls).toHaveLength(1 + Math.ceil(frames / 800))
      runs.mockRestore()
    }
    for (const encoder of encoders) await encoder.release()
  })

  it('in a thread encodes a recording ahead, and computes what is asked for', async () => {
    const setup = { folder: model, variant: 'int4', threads: 2 }
    const file = (i: number) => join(BUNDLED_SPEECH, `held-out-00${i}.flac`)
    const mels = await Promise.all([0, 1].map(async (i) => logMel((await loadClip(file(i))).samples)))
    const [mel, other] = mels as [Mel, Mel]
    const plain = await startEncoder(setup)
    const wanted = [await plain.run(mel), await plain.run(other)]
    await plain.release()
    for (const first of [file(0), file(1), join(model, 'config.json'), join(model, 'none.wav')]) {
      const ahead = await startEncoder({ ...setup, first })
      expect([await ahead.run(mel), await ahead.run(other)]).toEqual(wanted)
      expect(await ahead.run(mel)).toEqual(wanted[0])
      await ahead.release()
    }
  })

  it('names the sizes of what it computes, so that the runtime plans memory quickly', async () => {
    for (const file of ['encoder.onnx', 'decoder.onnx', 'decoder.int4.onnx', 'decoder_prefill.int4.onnx']) {
      const { graph } = ModelProto.decode(await readFile(join(model, file)))
      const named = new Map(
        graph?.valueInfo?.map((value) => [value.name, value.type?.tensorType?.shape?.dim ?? []]),
      )
      const made = graph?.node?.filter(({ opType }) => opType === 'Reshape' || opType === 'Softmax') ?? []
      const sized = made.filter(({ output }) => named.has(output?.[0] ?? ''))
      expect(sized.length, file).toBeGreaterThan(made.length / 2)
      const symbols = [...named.values()].flat().map(({ dimParam }) => dimParam ?? '')
      expect(
        symbols.every((symbol) => /^\w*$/.test(symbol)),
        file,
      ).toBe(true)
    }
  })

  it('in a thread says what is wrong with its graph, and with a spectrogram', async () => {
    const folder = await temporaryFolder()
    for (const name of await readdir(model))
      await symlink(join(model, name), join(folder, name)).catch(() => {})
    await rm(join(folder, 'encoder.onnx'))
    const setup = { folder, variant: 'fp32', threads: 1 }
    await expect(startEncoder(setup)).rejects.toThrow(`${folder} holds neither encoder.onnx.`)
    await writeFile(join(folder, 'encoder.onnx'), 'not a graph')
    await expect(startEncoder(setup)).rejects.toThrow(/onnxruntime cannot load .*encoder.onnx: /)
    const encoder = await startEncoder({ ...setup, folder: model })
    await expect(encoder.run({ frames: 2, data: new Float32Array(3) })).rejects.toThrow(/dims|size|length/i)
    const mel = { frames: 100, data: new Float32Array(MEL_BINS * 100) }
    expect((await encoder.run(mel)).length).toBe(13 * config.hiddenSize)
    await encoder.release()
    await expect(encoder.run(mel)).rejects.toThrow('The thread of the encoder ended (code 0).')
  })
})
