// SPDX-License-Identifier: Apache-2.0

import {
  link,
  mkdir,
  readdir,
  readFile,
  rename as renameFile,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import type { onnx as Onnx } from 'onnx-proto'
import { describe, expect, it } from 'vitest'
import { rewriteInPlace } from '../../graph-tools/apply.ts'
import { diffModels } from '../../graph-tools/diff.ts'
import { externalize, inlineWeights } from '../../graph-tools/externalize.ts'
import { inspectModel } from '../../graph-tools/inspect.ts'
import { type Model, openModel, parseModel } from '../../graph-tools/model.ts'
import { renameData } from '../../graph-tools/rename-data.ts'
import { shareWeights } from '../../graph-tools/share.ts'
import { applyEdits } from '../../graph-tools/splice.ts'
import { stripTraces } from '../../graph-tools/strip-traces.ts'
import { graphsToOpen, verifyFolder } from '../../graph-tools/verify.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { graphLine } from '../helpers/graph-command.ts'
import { bytesOf, writeModel } from '../helpers/graph-files.ts'
import { encodeModel, floatTensor, joined, onnx, unknownField, varint } from '../helpers/onnx.ts'

/* Slow: a model of more than a million values. */

const numbers = (count: number, first = 0) => Array.from({ length: count }, (_, i) => first + i)
const raw = (values: readonly number[]) => Buffer.from(Float32Array.from(values).buffer)

/** A float32 initializer in a data file; entries as they stand in external_data. */
function external(name: string, count: number, entries: Record<string, string>): Onnx.ITensorProto {
  const externalData = Object.entries(entries).map(([key, value]) => ({ key, value }))
  return { name, dims: [count], dataType: 1, dataLocation: 1, externalData }
}

async function writeGraph(folder: string, name: string, initializer: Onnx.ITensorProto[]): Promise<Model> {
  return writeModel(folder, name, { name: 'g', initializer })
}

async function problemsOf(folder: string): Promise<readonly string[]> {
  return (await verifyFolder(folder)).problems
}

describe('external data as others write it', () => {
  it('a length of 0 is one that was not given', async () => {
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'w.data'), raw(numbers(12)))
    const entries = { location: 'w.data', length: '0' }
    const model = await writeGraph(folder, 'm.onnx', [
      external('a', 8, { ...entries, offset: '0' }),
      external('b', 4, { ...entries, offset: '32' }),
    ])
    expect(await problemsOf(folder)).toEqual([])
    expect(inspectModel(model).external[0]?.ranges).toEqual([
      { offset: 0, length: 32, names: ['a'] },
      { offset: 32, length: 16, names: ['b'] },
    ])
    expect(await bytesOf(model, 'b')).toEqual(raw(numbers(4, 8)))
    await rewriteInPlace([model], renameData([model], folder, 'w.data', 'x.data'))
    const renamed = openModel(join(folder, 'm.onnx'))
    expect(renamed.tensors[1]?.external.get('length')).toBe('16')
    expect(await bytesOf(renamed, 'b')).toEqual(raw(numbers(4, 8)))
  })

  it.each([
    ['zeros up to 64 KiB between two tensors', 65_536, 0, 0, []],
    ['zeros up to 64 KiB behind the last one', 0, 65_536, 0, []],
    ['more zeros', 65_540, 0, 0, ['w.data: 65540 bytes from byte 16 are read by nothing.']],
    ['other bytes', 4092, 0, 7, ['w.data: 4092 bytes from byte 16 are read by nothing and are not padding.']],
    ['a page of other bytes', 4096, 0, 7, ['w.data: 4096 bytes from byte 16 are read by nothing.']],
    ['other bytes at the end', 0, 4096, 7, ['w.data has 4096 bytes after byte 32 that nothing reads.']],
  ])('padding: %s', async (_, gap, tail, filler, wanted) => {
    const folder = await temporaryFolder()
    const parts = [raw(numbers(4)), Buffer.alloc(gap, filler), raw(numbers(4)), Buffer.alloc(tail, filler)]
    await writeFile(join(folder, 'w.data'), Buffer.concat(parts))
    await writeGraph(folder, 'm.onnx', [
      external('a', 4, { location: 'w.data', offset: '0', length: '16' }),
      external('b', 4, { location: 'w.data', offset: String(16 + gap), length: '16' }),
    ])
    expect(await problemsOf(folder)).toEqual(wanted)
  })

  it.skipIf(process.platform === 'win32')(
    'a backslash is part of a name where there is such a file, else a folder’s end',
    async () => {
      const folder = await temporaryFolder()
      await mkdir(join(folder, 'sub'))
      await writeFile(join(folder, 'odd\\name.data'), raw(numbers(4)))
      await writeFile(join(folder, 'sub', 'w.data'), raw(numbers(4, 9)))
      const model = await writeGraph(folder, 'm.onnx', [
        external('a', 4, { location: 'odd\\name.data' }),
        external('b', 4, { location: 'sub\\w.data' }),
      ])
      expect(await problemsOf(folder)).toEqual([])
      expect(await bytesOf(model, 'a')).toEqual(raw(numbers(4)))
      expect(await bytesOf(model, 'b')).toEqual(raw(numbers(4, 9)))
      const done = await rewriteInPlace([model], await inlineWeights(model))
      expect(done.removed.toSorted()).toEqual(['odd\\name.data', 'w.data'])
      expect(await bytesOf(openModel(join(folder, 'm.onnx')), 'a')).toEqual(raw(numbers(4)))
    },
  )

  it('a data file may be called *.onnx', async () => {
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'weights.onnx'), raw(numbers(4)))
    const place = { location: 'weights.onnx', offset: '0', length: '16' }
    const model = await writeGraph(folder, 'm.onnx', [
      external('a', 4, place),
      floatTensor('b', numbers(300)),
    ])
    const report = await verifyFolder(folder)
    expect(report).toMatchObject({ graphs: 1, dataFiles: 1, problems: [] })
    expect(await graphsToOpen(folder)).toEqual([join(folder, 'm.onnx')])
    const options = { folder, location: 'weights.onnx', minimum: 16 }
    await rewriteInPlace([model], await shareWeights([model], options))
    const shared = openModel(join(folder, 'm.onnx'))
    expect(await bytesOf(shared, 'b')).toEqual(raw(numbers(300)))
    await rewriteInPlace([shared], renameData([shared], folder, 'weights.onnx', 'w.data'))
    expect((await readdir(folder)).sort()).toEqual(['m.onnx', 'w.data'])
    expect(await problemsOf(folder)).toEqual([])
    // what is neither a graph nor read by one is still wrong
    await writeFile(join(folder, 'other.onnx'), raw(numbers(4)))
    expect((await problemsOf(folder))[0]).toContain('other.onnx is not an ONNX model, or a damaged one')
  })
})

describe('who reads a data file', () => {
  const place = { location: 'w.data', offset: '0', length: '1200' }

  async function twoReaders(other: string, location = 'w.data') {
    const folder = join(await temporaryFolder(), 'models')
    await mkdir(folder)
    await writeFile(join(folder, 'w.data'), raw(numbers(300)))
    const model = await writeGraph(folder, 'm.onnx', [external('a', 300, place)])
    await writeGraph(folder, other, [external('a', 300, { ...place, location })])
    return { folder, model, rename: renameData([model], folder, 'w.data', 'x.data') }
  }

  it.each([
    ['other.pb', 'w.data'],
    ['model', 'w.data'],
    ['m.onnx.bak', 'w.data'],
    ['../above.onnx', 'models/w.data'],
    ['../above.bin', './models/w.data'],
  ])('%s counts', async (other, location) => {
    const { folder, model, rename } = await twoReaders(other, location)
    await expect(rewriteInPlace([model], rename)).rejects.toThrow('reads w.data too, and would be broken.')
    // what is left stays for it
    const done = await rewriteInPlace([model], await inlineWeights(model))
    expect(done).toEqual({ written: ['m.onnx'], removed: [] })
    // verify knows who reads the file now
    expect(await problemsOf(folder)).toEqual([])
    await rm(join(folder, other))
    expect(await problemsOf(folder)).toEqual(['w.data is read by no graph.'])
  })

  it('a hard link of the graph itself counts where it is not rewritten along with it', async () => {
    const { folder, model, rename } = await twoReaders('../elsewhere.onnx', 'w.data')
    await link(join(folder, 'm.onnx'), join(folder, 'other.pb'))
    await expect(rewriteInPlace([model], rename)).rejects.toThrow('other.pb reads w.data too')
    await renameFile(join(folder, 'other.pb'), join(folder, 'other.onnx'))
    expect((await rewriteInPlace([model], rename)).written).toEqual(['x.data', 'm.onnx', 'other.onnx'])
  })

  it('files that are not models do not', async () => {
    const { folder, model, rename } = await twoReaders('../elsewhere.onnx', 'w.data')
    await writeFile(join(folder, 'config.json'), '{}')
    await writeFile(join(folder, 'left.onnx.partial'), await readFile(join(folder, 'm.onnx')))
    await writeFile(join(folder, '..', 'damaged.onnx'), 'no model')
    expect((await rewriteInPlace([model], rename)).removed).toEqual(['w.data'])
  })
})

describe('a snapshot in the cache of huggingface_hub', () => {
  async function snapshot(inside = '.') {
    const repository = join(await temporaryFolder(), 'models--me--model')
    const [blobs, folder] = [join(repository, 'blobs'), join(repository, 'snapshots', 'f'.repeat(40), inside)]
    await mkdir(blobs, { recursive: true })
    await mkdir(folder, { recursive: true })
    await writeFile(join(blobs, 'b0'), raw(numbers(300)))
    const place = { location: 'w.data', offset: '0', length: '1200' }
    await writeGraph(blobs, 'b1', [external('a', 300, place)])
    const up = inside === '.' ? '../../blobs' : '../../../blobs'
    await symlink(`${up}/b0`, join(folder, 'w.data'))
    await symlink(`${up}/b1`, join(folder, 'm.onnx'))
    return { repository, folder, path: join(folder, 'm.onnx') }
  }

  it.each(['.', 'onnx'])('is read through its links, in %s', async (inside) => {
    const { folder, path } = await snapshot(inside)
    const model = openModel(path)
    expect(await bytesOf(model, 'a')).toEqual(raw(numbers(300)))
    expect(inspectModel(model).external[0]?.location).toBe('w.data')
    expect(await problemsOf(folder)).toEqual([])
    const elsewhere = await temporaryFolder()
    const copy = await writeGraph(elsewhere, 'm.onnx', [floatTensor('a', numbers(300))])
    expect((await diffModels(model, copy)).isSame).toBe(true)
    // a source of weights for another folder
    const shared = await shareWeights([model], { folder: elsewhere, location: 'w.data', minimum: 1 })
    expect(shared.data[0]).toMatchObject({ path: join(elsewhere, 'w.data') })
  })

  it('is not rewritten, and nothing is left in it', async () => {
    const { folder, path } = await snapshot()
    for (const command of [
      ['inline', path],
      ['strip-traces', path],
      ['share', path, '--data', 'x.data'],
    ]) {
      await expect(graphLine(command)).rejects.toMatchObject({
        message: `${folder} is a snapshot in the cache of huggingface_hub: other programs rely on its files.`,
        hint: `Copy it with its links followed, and rewrite the copy: cp -rL ${folder} COPY`,
      })
    }
    const model = openModel(path)
    await expect(rewriteInPlace([model], await inlineWeights(model))).rejects.toThrow('is a snapshot')
    expect((await readdir(folder)).sort()).toEqual(['m.onnx', 'w.data'])
  })

  it('leads to its own blobs only', async () => {
    const { repository, folder, path } = await snapshot()
    await writeFile(join(repository, 'secret'), raw(numbers(300)))
    await rm(join(folder, 'w.data'))
    await symlink('../../secret', join(folder, 'w.data'))
    await expect(bytesOf(openModel(path), 'a')).rejects.toThrow('is outside the model')
  })
})

describe('structure as others write it', () => {
  it('a tree ensemble with 1.3 million values opens', async () => {
    const [count, path] = [1_300_000, join(await temporaryFolder(), 'trees.onnx')]
    const repeated = (value: number[]) => Buffer.alloc(count * value.length, Buffer.from(value))
    const attribute = (name: string, value: number[]) =>
      unknownField(5, Buffer.concat([unknownField(1, name), repeated(value)]))
    const node = Buffer.concat([
      unknownField(4, 'TreeEnsembleClassifier'),
      attribute('nodes_values', [0x3d, 0, 0, 0x80, 0x3f]), // floats 7, fixed32
      attribute('nodes_treeids', [0x40, 5]), // ints 8
      attribute('nodes_modes', [0x4a, 4, 0x4c, 0x45, 0x41, 0x46]), // strings 9: LEAF
    ])
    const strings = Buffer.concat([
      Buffer.from([0x08, ...varint(count), 0x10, 8]),
      repeated([0x32, 1, 0x61]), // string_data 6: a
      unknownField(8, 'words'),
    ])
    const unpacked = Buffer.concat([
      Buffer.from([0x08, ...varint(count), 0x10, 7]),
      repeated([0x38, 3]), // int64_data 7, one by one
      unknownField(8, 'longs'),
    ])
    const graph = [unknownField(1, node), unknownField(5, strings), unknownField(5, unpacked)]
    await writeFile(path, unknownField(7, Buffer.concat(graph)))
    const model = openModel(path)
    expect(model.graph.nodes[0]?.attributes.map(({ ints }) => ints?.length)).toEqual([0, undefined, 0])
    expect(model.tensors.map(({ typedData }) => typedData.length)).toEqual([1, 1])
    const longs = await bytesOf(model, 'longs')
    expect(longs.length).toBe(8 * count)
    expect(longs.readBigInt64LE(8 * (count - 1))).toBe(3n)
  })

  it('raw_data that is there twice: the last one counts, and both go', async () => {
    const folder = await temporaryFolder()
    const tensor = onnx.TensorProto.encode(floatTensor('w', numbers(300, 1))).finish()
    const twice = Buffer.concat([unknownField(9, raw(numbers(300, 500))), tensor])
    const path = join(folder, 'm.onnx')
    await writeFile(path, Buffer.concat([unknownField(7, unknownField(5, twice))]))
    const model = openModel(path)
    expect(await bytesOf(model, 'w')).toEqual(raw(numbers(300, 1)))
    await rewriteInPlace([model], await externalize([model], { folder, location: 'w.data', threshold: 1 }))
    const decoded = onnx.ModelProto.decode(await readFile(path)).graph?.initializer?.[0]
    expect(decoded?.rawData?.length).toBe(0)
    expect(await readFile(join(folder, 'w.data'))).toEqual(raw(numbers(300, 1)))
  })

  it('empty tensors are equal however they are spelled', async () => {
    const empty = { name: 'e', dims: [0, 3], dataType: 1 }
    const spelled = [
      {},
      { rawData: new Uint8Array(0) },
      { floatData: [] },
      external('e', 0, { location: 'gone.data' }),
    ]
    const models = spelled.map((data) =>
      parseModel(encodeModel({ name: 'g', initializer: [{ ...data, ...empty }] })),
    )
    // protobuf writes no empty list: the second spelling needs the field itself
    expect(models[1]?.tensors[0]?.rawData).toBeDefined()
    for (const one of models)
      for (const other of models) expect((await diffModels(one, other)).isSame).toBe(true)
    const full = parseModel(encodeModel({ name: 'g', initializer: [floatTensor('e', [1])] }))
    expect((await diffModels(full, models[0] as Model)).isSame).toBe(false)
  })

  it('graphs in training_info are compared as bodies, the rest of it as it is', async () => {
    const folder = await temporaryFolder()
    const training = (values: number[], binding = 'b') => {
      const graph = { name: 't', initializer: [floatTensor('rate', values)] }
      const bound = Buffer.concat([unknownField(1, 'k'), unknownField(2, binding)])
      return unknownField(
        20,
        Buffer.concat([unknownField(2, onnx.GraphProto.encode(graph).finish()), unknownField(4, bound)]),
      )
    }
    const write = async (name: string, info: Uint8Array) => {
      await writeFile(join(folder, name), Buffer.concat([encodeModel({ name: 'g' }), info]))
      return openModel(join(folder, name))
    }
    const model = await write('a.onnx', training(numbers(300)))
    const moved = await write('b.onnx', training(numbers(300)))
    await rewriteInPlace([moved], await externalize([moved], { folder, location: 'w.data', threshold: 1 }))
    const same = await diffModels(model, openModel(join(folder, 'b.onnx')))
    expect(same).toMatchObject({ isSame: true, sameWeights: 1 })
    const other = await diffModels(model, await write('c.onnx', training(numbers(300, 1))))
    expect(other).toMatchObject({ isSame: false, header: [], weights: ['~ rate: other values'] })
    const bound = await diffModels(model, await write('d.onnx', training(numbers(300), 'c')))
    expect(bound.header).toEqual(['another update_binding of training_info'])
    const none = await diffModels(model, await write('e.onnx', new Uint8Array(0)))
    expect(none.header).toEqual(['graphs and functions: 2 -> 1', 'training_info: 1 -> 0'])
  })

  it('two initializers of one name can be looked at, and are not rewritten', async () => {
    const folder = await temporaryFolder()
    const tensors = [floatTensor('twice', numbers(4)), floatTensor('twice', numbers(4, 1))]
    const model = await writeGraph(folder, 'm.onnx', tensors)
    expect(inspectModel(model)).toMatchObject({ duplicates: ['twice'], weights: [{ tensors: 2 }] })
    expect(await problemsOf(folder)).toEqual(['m.onnx: Two initializers are named "twice".'])
    const swapped = parseModel(encodeModel({ name: 'g', initializer: tensors.toReversed() }))
    expect((await diffModels(model, swapped)).weights.length).toBe(2)
    expect((await diffModels(model, model)).isSame).toBe(true)
    await expect(rewriteInPlace([model], { edits: [stripTraces(model)] })).rejects.toThrow(
      `${join(folder, 'm.onnx')} is not rewritten: Two initializers are named "twice".`,
    )
    const fine = await writeGraph(await temporaryFolder(), 'm.onnx', [floatTensor('once', [1])])
    expect(inspectModel(fine).duplicates).toEqual([])
  })

  it('of the entries called namespace only those go that torch wrote into nodes', async () => {
    const entry = (field: number, key: string) =>
      unknownField(field, Buffer.concat([unknownField(1, key), unknownField(2, 'v')]))
    const all = (field: number) =>
      ['namespace', 'pkg.torch.onnx.stack_trace', 'mine'].map((key) => entry(field, key))
    const traced = unknownField(1, Buffer.concat([unknownField(4, 'Relu'), ...all(9)]))
    const others = unknownField(1, Buffer.concat([unknownField(4, 'Relu'), entry(9, 'namespace')]))
    const tensor = unknownField(5, Buffer.concat([unknownField(8, 't'), ...all(16)]))
    const input = unknownField(11, Buffer.concat([unknownField(1, 'x'), ...all(4)]))
    const graph = unknownField(7, Buffer.concat([traced, others, tensor, input, ...all(16)]))
    const model = parseModel(Buffer.concat([graph, ...all(14)]))
    const left = parseModel(joined(applyEdits(model.bytes, stripTraces(model)))).metadata
    const kept = left.map(({ owner, key }) => `${owner} ${key}`)
    expect(kept.sort()).toEqual(
      [
        ...[
          'node mine',
          'node namespace',
          'tensor mine',
          'tensor namespace',
          'value mine',
          'value namespace',
        ],
        ...['graph mine', 'graph namespace', 'model mine', 'model namespace'],
      ].sort(),
    )
  })
})
