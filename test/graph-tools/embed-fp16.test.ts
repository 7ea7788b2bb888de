// SPDX-License-Identifier: Apache-2.0

import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { rewriteInPlace } from '../../graph-tools/apply.ts'
import { embedFp16 } from '../../graph-tools/embed-fp16.ts'
import { findEmbedding, isFloat32 } from '../../graph-tools/embedding-table.ts'
import { externalize } from '../../graph-tools/externalize.ts'
import { type Model, openModel } from '../../graph-tools/model.ts'
import { verifyFolder } from '../../graph-tools/verify.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { bytesOf, writeModel } from '../helpers/graph-files.ts'
import { floatTensor } from '../helpers/onnx.ts'

const VALUES = [0, 1, -2, 0.1]
const HALVES = [0, 0x3c00, 0xc000, 0x2e66]

/** A graph that looks up a table, with whatever else. */
function graphOf(values: readonly number[], more: { node?: object[]; initializer?: object[] } = {}) {
  return {
    name: 'g',
    initializer: [floatTensor('table', values, [values.length / 2, 2]), ...(more.initializer ?? [])],
    node: [
      { opType: 'Gather', name: 'look', input: ['table', 'input_ids'], output: ['embeds'] },
      { opType: 'Relu', input: ['embeds'], output: ['y'] },
      ...(more.node ?? []),
    ],
  }
}

async function embedded(models: readonly Model[], folder: string) {
  const plan = await embedFp16(models, { folder, location: 'embed_tokens.bin' })
  const done = await rewriteInPlace(models, plan)
  return { plan, done, models: models.map(({ path }) => openModel(path ?? '')) }
}

async function halvesIn(folder: string): Promise<number[]> {
  const bytes = await readFile(join(folder, 'embed_tokens.bin'))
  return [...new Uint16Array(new Uint8Array(bytes).buffer)]
}

describe('embed-fp16', () => {
  it('writes the halves and puts a Cast between Gather and reader; again there is nothing to change', async () => {
    const folder = await temporaryFolder()
    const before = await writeModel(folder, 'init.onnx', graphOf(VALUES))
    const { done, models } = await embedded([before], folder)
    expect(done).toEqual({ written: ['embed_tokens.bin', 'init.onnx'], removed: [] })
    expect(await halvesIn(folder)).toEqual(HALVES)
    const [edited] = models as [Model]
    expect(edited.graph.nodes.map(({ opType, inputs, outputs }) => [opType, inputs, outputs])).toEqual([
      ['Gather', ['table', 'input_ids'], ['embeds_float16']],
      ['Cast', ['embeds_float16'], ['embeds']],
      ['Relu', ['embeds'], ['y']],
    ])
    const [tensor] = edited.graph.initializers
    expect(tensor?.dataType).toBe(10)
    expect(Object.fromEntries(tensor?.external ?? [])).toEqual({
      location: 'embed_tokens.bin',
      offset: '0',
      length: '8',
    })
    const again = await embedded(models, folder)
    expect(again.plan).toMatchObject({ tables: [], shape: [2, 2] })
    expect(again.done).toEqual({ written: [], removed: [] })
  })

  it('leaves the FP32 table to another node that reads it', async () => {
    const folder = await temporaryFolder()
    const head = { opType: 'Gemm', input: ['y', 'table'], output: ['logits'] }
    const model = await writeModel(folder, 'init.onnx', graphOf(VALUES, { node: [head] }))
    const { plan, models } = await embedded([model], folder)
    expect(plan.gone.size).toBe(0)
    const [edited] = models as [Model]
    expect(edited.graph.nodes[0]?.inputs).toEqual(['table_float16', 'input_ids'])
    expect(edited.graph.initializers.map(({ name, dataType, dims }) => [name, dataType, dims])).toEqual([
      ['table', 1, [2, 2]],
      ['table_float16', 10, [2, 2]],
    ])
  })

  it('names the row of a value that FP16 cannot hold, and writes nothing', async () => {
    const folder = await temporaryFolder()
    for (const value of [70000, Number.NaN, Number.NEGATIVE_INFINITY]) {
      const model = await writeModel(folder, 'init.onnx', graphOf([0, 1, value, 0]))
      await expect(embedded([model], folder)).rejects.toThrow(`table row 1 holds ${value}, which FP16 cannot`)
      expect(await readdir(folder)).toEqual(['init.onnx'])
    }
  })

  it('takes names that are free in the whole graph', async () => {
    const folder = await temporaryFolder()
    const more = {
      initializer: [floatTensor('embeds_float16', [1])],
      node: [{ opType: 'Relu', name: 'embeds_cast', input: ['embeds_float16'], output: ['z'] }],
    }
    const model = await writeModel(folder, 'init.onnx', graphOf(VALUES, more))
    const { models } = await embedded([model], folder)
    const cast = models[0]?.graph.nodes[1]
    expect([cast?.name, cast?.inputs, cast?.outputs]).toEqual([
      'embeds_cast_2',
      ['embeds_float16_2'],
      ['embeds'],
    ])
  })

  it.each([
    ['input', 'an input'],
    ['output', 'an output'],
  ])('refuses a table that is a graph %s too', async (side, words) => {
    const folder = await temporaryFolder()
    const graph = { ...graphOf(VALUES), [side]: [{ name: 'table' }] }
    const model = await writeModel(folder, 'init.onnx', graph)
    await expect(embedded([model], folder)).rejects.toThrow(
      `The table table is ${words} of the graph too, whose callers see its type.`,
    )
    expect(await readdir(folder)).toEqual(['init.onnx'])
  })

  it('converts every graph that has the table, whatever data files they share, and packs what it leaves', async () => {
    const folder = await temporaryFolder()
    const own = { initializer: [floatTensor('w', new Array(600).fill(3))] }
    for (const name of ['init', 'init.int4', 'step']) {
      const graph = name === 'step' ? { name: 'g', ...own } : graphOf(VALUES, own)
      await writeModel(folder, `${name}.onnx`, graph)
    }
    const paths = ['init.int4.onnx', 'init.onnx', 'step.onnx'].map((name) => join(folder, name))
    const inside = paths.map(openModel)
    await rewriteInPlace(inside, await externalize(inside, { folder, location: 'w.data', threshold: 1 }))
    const { done, models } = await embedded(paths.map(openModel), folder)
    expect(done.written).toEqual([
      ...['embed_tokens.bin', 'w.data', 'init.int4.onnx', 'init.onnx', 'step.onnx'],
    ])
    expect(await halvesIn(folder)).toEqual(HALVES)
    expect((await readFile(join(folder, 'w.data'))).length).toBe(2400)
    for (const model of models) expect((await bytesOf(model, 'w')).readFloatLE(0)).toBe(3)
    for (const model of models.slice(0, 2)) {
      expect((await bytesOf(model, 'table')).readUInt16LE(6)).toBe(HALVES[3])
    }
    await writeFile(
      join(folder, 'config.json'),
      '{"embed_tokens_shape":[2,2],"embed_tokens_dtype":"float16"}',
    )
    expect((await verifyFolder(folder)).problems).toEqual([])
  })

  it('refuses tables that differ, naming both graphs', async () => {
    const folder = await temporaryFolder()
    const models = [
      await writeModel(folder, 'a.onnx', graphOf(VALUES)),
      await writeModel(folder, 'b.onnx', graphOf([0, 1, -2, 0.2])),
    ]
    await expect(embedded(models, folder)).rejects.toThrow(
      'b.onnx (table) has another embedding table than a.onnx (table).',
    )
  })

  it('replaces the raw FP32 table of an older export, and nothing else of that name', async () => {
    const folder = await temporaryFolder()
    const model = await writeModel(folder, 'init.onnx', graphOf(VALUES))
    await writeFile(join(folder, 'embed_tokens.bin'), 'precious')
    await expect(embedded([model], folder)).rejects.toThrow(
      'embed_tokens.bin is there already, and is not the table table, neither as FP32 nor as FP16.',
    )
    expect(await readFile(join(folder, 'embed_tokens.bin'), 'utf8')).toBe('precious')
    await writeFile(join(folder, 'embed_tokens.bin'), new Uint8Array(Float32Array.from(VALUES).buffer))
    await embedded([model], folder)
    expect(await halvesIn(folder)).toEqual(HALVES)
  })

  it('reads the file of another graph when it holds the same table, and refuses when it does not', async () => {
    const folder = await temporaryFolder()
    const first = await writeModel(folder, 'a.onnx', graphOf(VALUES))
    const [done] = (await embedded([first], folder)).models as [Model]
    const same = await writeModel(folder, 'b.onnx', graphOf(VALUES))
    expect((await embedded([done, same], folder)).done).toEqual({ written: ['b.onnx'], removed: [] })
    const other = await writeModel(folder, 'b.onnx', graphOf([0, 1, -2, 0.2]))
    await expect(embedded([done, other], folder)).rejects.toThrow(
      'embed_tokens.bin holds table, which is not the table table as FP16.',
    )
    expect(await halvesIn(folder)).toEqual(HALVES)
  })

  it('refuses while other weights lie in the file with the FP32 table, and says how to part them', async () => {
    const folder = await temporaryFolder()
    const model = await writeModel(
      folder,
      'init.onnx',
      graphOf(VALUES, { initializer: [floatTensor('w', [5, 6])] }),
    )
    const options = { folder, location: 'embed_tokens.bin', threshold: 1 }
    await rewriteInPlace([model], await externalize([model], options))
    const outside = openModel(join(folder, 'init.onnx'))
    await expect(embedded([outside], folder)).rejects.toMatchObject({
      message: expect.stringContaining('embed_tokens.bin holds w, which is not the table table as FP16.'),
      hint: 'Give it another name with rename-data first.',
    })
    expect(findEmbedding(openModel(join(folder, 'init.onnx')))).toSatisfy(isFloat32)
  })
})
