// SPDX-License-Identifier: Apache-2.0

import { unlinkSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { alias } from '../../graph-tools/alias.ts'
import { rewriteInPlace } from '../../graph-tools/apply.ts'
import { ALIGNMENT } from '../../graph-tools/external-data.ts'
import { externalize, inlineWeights } from '../../graph-tools/externalize.ts'
import { type Model, openModel } from '../../graph-tools/model.ts'
import { otherReaders } from '../../graph-tools/readers.ts'
import { renameData } from '../../graph-tools/rename-data.ts'
import { shareWeights } from '../../graph-tools/share.ts'
import { tieHeads } from '../../graph-tools/tie.ts'
import { verifyFolder } from '../../graph-tools/verify.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { bytesOf, rewritten, tensorNamed, writeModel } from '../helpers/graph-files.ts'
import { encodeModel, floatTensor, onnx } from '../helpers/onnx.ts'

const numbers = (count: number, scale = 1) => Array.from({ length: count }, (_, i) => scale * i)
const equal = numbers(512)

async function twoGraphs(folder: string): Promise<[Model, Model]> {
  return [
    await writeModel(folder, 'a.onnx', {
      name: 'g',
      initializer: [floatTensor('a', equal), floatTensor('b', numbers(512, 2)), floatTensor('small', [1])],
    }),
    await writeModel(folder, 'b.onnx', {
      name: 'g',
      initializer: [
        floatTensor('only_here', numbers(512, 3)),
        floatTensor('same_as_a', equal, [8, 64]),
        floatTensor('again', equal),
      ],
    }),
  ]
}

async function shareInPlace(models: readonly Model[], location: string, minimum = 1024) {
  const folder = models[0]?.folder ?? ''
  const placement = await shareWeights(models, { folder, location, minimum })
  const done = await rewriteInPlace(models, placement)
  return { placement, done, models: models.map(({ path }) => openModel(path ?? '')) }
}

describe('share', () => {
  it('stores equal bytes once, across graphs and inside one, whatever name and shape', async () => {
    const folder = await temporaryFolder()
    const before = await twoGraphs(folder)
    const wanted = new Map<string, Buffer>()
    for (const model of before) {
      for (const { name } of model.tensors) wanted.set(name, await bytesOf(model, name))
    }
    const { placement, models } = await shareInPlace(before, 'shared.data')
    expect(placement).toMatchObject({ tensors: 5, stored: 3, bytes: 2 * ALIGNMENT + 2048 })
    expect((await stat(join(folder, 'shared.data'))).size).toBe(2 * ALIGNMENT + 2048)
    for (const model of models) {
      for (const { name } of model.tensors) expect(await bytesOf(model, name)).toEqual(wanted.get(name))
    }
    const [left, right] = models as [Model, Model]
    const offset = (model: Model, name: string) => tensorNamed(model, name).external.get('offset')
    expect(offset(right, 'same_as_a')).toBe(offset(left, 'a'))
    expect(offset(left, 'small')).toBeUndefined()
    expect((await verifyFolder(folder)).problems).toEqual([])

    // Again: everything is where it should be, so nothing is written.
    const again = await shareInPlace(models, 'shared.data')
    expect(again.done).toEqual({ written: [], removed: [] })
    // Elsewhere: the old data file goes.
    const moved = await shareInPlace(models, 'other.data')
    expect(moved.done).toEqual({ written: ['other.data', 'a.onnx', 'b.onnx'], removed: ['shared.data'] })
    expect((await readdir(folder)).sort()).toEqual(['a.onnx', 'b.onnx', 'other.data'])
    expect(await bytesOf(moved.models[1] as Model, 'only_here')).toEqual(wanted.get('only_here'))
  })

  it('takes small tensors of older data files in, so that these files go', async () => {
    const folder = await temporaryFolder()
    const initializer = [floatTensor('large', equal), floatTensor('small', [7])]
    const model = await writeModel(folder, 'm.onnx', { name: 'g', initializer })
    await rewriteInPlace([model], await externalize([model], { folder, location: 'old.data', threshold: 0 }))
    const { done, models } = await shareInPlace([openModel(join(folder, 'm.onnx'))], 'new.data')
    expect(done).toEqual({ written: ['new.data', 'm.onnx'], removed: ['old.data'] })
    const [after] = models as [Model]
    expect(tensorNamed(after, 'small').location).toBeUndefined()
    expect((await bytesOf(after, 'small')).readFloatLE()).toBe(7)
    expect((await verifyFolder(folder)).problems).toEqual([])
  })

  it('finds equal bytes whether they are raw, in typed fields or outside', async () => {
    const folder = await temporaryFolder()
    const typed = { name: 'typed', dims: [512], dataType: 1, floatData: [...equal] }
    const longs = numbers(300, 5)
    const int64 = { name: 'int64', dims: [300], dataType: 7, int64Data: longs }
    const raw = new Uint8Array(BigInt64Array.from(longs, BigInt).buffer)
    const initializer = [
      ...[typed, floatTensor('raw', equal), int64],
      { name: 'longs', dims: [300], dataType: 7, rawData: raw },
    ]
    const model = await writeModel(folder, 'm.onnx', { name: 'g', initializer })
    const { placement, models } = await shareInPlace([model], 'w.data')
    expect(placement).toMatchObject({ tensors: 4, stored: 2 })
    expect(await bytesOf(models[0] as Model, 'int64')).toEqual(Buffer.from(raw))
  })

  it('distinguishes tensors that differ in one bit', async () => {
    const folder = await temporaryFolder()
    const other = [...equal]
    other[3] = 3.0000002
    const initializer = [floatTensor('a', equal), floatTensor('b', other)]
    const { placement } = await shareInPlace(
      [await writeModel(folder, 'm.onnx', { name: 'g', initializer })],
      'x',
    )
    expect(placement.stored).toBe(2)
  })

  it('refuses to break a graph that was not given', async () => {
    const folder = await temporaryFolder()
    const { models } = await shareInPlace(await twoGraphs(folder), 'shared.data')
    await expect(shareInPlace(models.slice(0, 1), 'shared.data')).rejects.toThrow(
      `${join(folder, 'b.onnx')} reads shared.data too, and would be broken.`,
    )
    await expect(shareInPlace(models.slice(0, 1), 'mine.data')).resolves.toMatchObject({
      done: { removed: [] },
    })
  })

  it('keeps a hard-linked alias an alias', async () => {
    const folder = await temporaryFolder()
    const [model] = await twoGraphs(folder)
    await alias(join(folder, 'a.onnx'), join(folder, 'a.int4.onnx'))
    await shareInPlace([model], 'shared.data')
    const inode = async (name: string) => (await stat(join(folder, name))).ino
    expect(await inode('a.int4.onnx')).toBe(await inode('a.onnx'))
    expect(openModel(join(folder, 'a.int4.onnx')).tensors[0]?.external.get('location')).toBe('shared.data')
  })
})

describe('externalize and inline', () => {
  it('are each other’s inverse', async () => {
    const folder = await temporaryFolder()
    const initializer = [floatTensor('a', numbers(512)), floatTensor('b', numbers(300))]
    const model = await writeModel(folder, 'm.onnx', { name: 'g', initializer })
    const before = onnx.ModelProto.decode(await readFile(join(folder, 'm.onnx')))
    await rewriteInPlace([model], await externalize([model], { folder, location: 'w.data', threshold: 1 }))
    const outside = openModel(join(folder, 'm.onnx'))
    expect(outside.bytes.length).toBeLessThan(400)
    const done = await rewriteInPlace([outside], await inlineWeights(outside))
    expect(done).toEqual({ written: ['m.onnx'], removed: ['w.data'] })
    const inside = onnx.ModelProto.decode(await readFile(join(folder, 'm.onnx')))
    expect(inside.graph?.initializer).toEqual(before.graph?.initializer)
  })

  it('move by size, and read typed fields as raw bytes', async () => {
    const folder = await temporaryFolder()
    const model = await writeModel(folder, 'm.onnx', {
      name: 'g',
      initializer: [
        { name: 'floats', dims: [3], dataType: 1, floatData: [1, 2, 3] },
        { name: 'halves', dims: [3], dataType: 10, int32Data: [0x3c00, 0x4000, 0xc200] },
        { name: 'bytes', dims: [3], dataType: 3, int32Data: [-1, 0, 127] },
        { name: 'nibbles', dims: [3], dataType: 22, int32Data: [0x7f, 0x08] },
        { name: 'longs', dims: [2, 1], dataType: 7, int64Data: [-5, 6] },
        { name: 'doubles', dims: [1], dataType: 11, doubleData: [0.5] },
        { name: 'counts', dims: [2], dataType: 13, uint64Data: [7, 8] },
        { name: 'words', dims: [1], dataType: 8, stringData: [Buffer.from('x'.repeat(99))] },
      ],
    })
    await rewriteInPlace([model], await externalize([model], { folder, location: 'w.data', threshold: 3 }))
    const outside = openModel(join(folder, 'm.onnx'))
    const raw = async (name: string) => [...(await bytesOf(outside, name))]
    expect(new Float32Array(Uint8Array.from(await raw('floats')).buffer)).toEqual(Float32Array.of(1, 2, 3))
    expect(await raw('halves')).toEqual([0, 0x3c, 0, 0x40, 0, 0xc2])
    expect(await raw('bytes')).toEqual([255, 0, 127])
    expect(await raw('longs')).toEqual([...new Uint8Array(BigInt64Array.of(-5n, 6n).buffer)])
    expect(await raw('doubles')).toEqual([...new Uint8Array(Float64Array.of(0.5).buffer)])
    expect(await raw('counts')).toEqual([...new Uint8Array(BigUint64Array.of(7n, 8n).buffer)])
    expect(outside.tensors.filter(({ location }) => location === undefined).map(({ name }) => name)).toEqual([
      'nibbles', // two bytes: below the threshold
      'words',
    ])
    expect((await verifyFolder(folder)).problems).toEqual([])
  })

  it('refuse to pass the 2 GiB limit, before anything is written', async () => {
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'big'), '')
    await truncate(join(folder, 'big'), 2 ** 31) // sparse
    const external = (key: string, value: string) => ({ key, value })
    const model = await writeModel(folder, 'm.onnx', {
      name: 'g',
      initializer: [
        {
          name: 'a',
          dims: [2 ** 29],
          dataType: 1,
          dataLocation: 1,
          externalData: [external('location', 'big')],
        },
      ],
    })
    await expect(inlineWeights(model)).rejects.toThrow('protobuf allows 2147483647')
  })

  it('say where a data file is too short or missing, and leave all as it was', async () => {
    const folder = await temporaryFolder()
    const model = await writeModel(folder, 'm.onnx', { name: 'g', initializer: [floatTensor('a', equal)] })
    await rewriteInPlace([model], await externalize([model], { folder, location: 'w', threshold: 1 }))
    const outside = openModel(join(folder, 'm.onnx'))
    const before = await readFile(join(folder, 'm.onnx'))
    await writeFile(join(folder, 'w'), new Uint8Array(2000))
    const inline = async () => rewriteInPlace([outside], await inlineWeights(outside))
    await expect(inline()).rejects.toThrow('ends at byte 2000, but a tensor reaches to byte 2048')
    await rm(join(folder, 'w'))
    await expect(inline()).rejects.toThrow(`The data file ${join(folder, 'w')} is missing.`)
    expect(await readFile(join(folder, 'm.onnx'))).toEqual(before)
    expect(await readdir(folder)).toEqual(['m.onnx'])
  })
})

describe('a model', () => {
  it('is refused once its file, or a data file that it has looked at, is another one', async () => {
    const folder = await temporaryFolder()
    const model = await writeModel(folder, 'm.onnx', { name: 'g', initializer: [floatTensor('a', equal)] })
    await rewriteInPlace([model], await externalize([model], { folder, location: 'w.data', threshold: 1 }))
    const stale = { edits: [[{ region: model.root, start: 0, end: 1, content: [] }]] }
    const message = `${join(folder, 'm.onnx')} has changed since it was opened.`
    await expect(rewriteInPlace([model], stale)).rejects.toThrow(message)
    const outside = openModel(join(folder, 'm.onnx'))
    const plan = await inlineWeights(outside)
    const data = await readFile(join(folder, 'w.data'))
    await writeFile(join(folder, 'w.data'), data.reverse())
    await expect(rewriteInPlace([outside], plan)).rejects.toThrow(
      `${join(folder, 'w.data')} has changed since it was opened.`,
    )
    expect((await readdir(folder)).sort()).toEqual(['m.onnx', 'w.data'])
    expect((await readFile(join(folder, 'm.onnx'))).length).toBe(outside.bytes.length)
  })

  it('has its weights where data_location says, whatever external_data says besides', async () => {
    const folder = await temporaryFolder()
    const externalData = [{ key: 'location', value: 'gone.data' }]
    const stale = { ...floatTensor('a', [1, 2]), externalData, dataLocation: 0 }
    const model = await writeModel(folder, 'm.onnx', { name: 'g', initializer: [stale] })
    expect((await verifyFolder(folder)).problems).toEqual([])
    expect((await bytesOf(model, 'a')).readFloatLE(4)).toBe(2)
    expect((await rewriteInPlace([model], await inlineWeights(model))).written).toEqual([])
  })
})

describe('tie', () => {
  const decoder = (head: readonly number[], more: readonly number[]) => ({
    name: 'g',
    initializer: [floatTensor('w', more), floatTensor('lm_head', head, [2, head.length / 2])],
    node: [
      { opType: 'MatMul', name: 'head', input: ['x', 'lm_head'], output: ['scores'] },
      { opType: 'Identity', input: ['scores'], output: ['logits'] },
    ],
  })

  async function outside(folder: string, name: string, graph: object): Promise<Model> {
    const model = await writeModel(folder, `${name}.onnx`, graph)
    await rewriteInPlace(
      [model],
      await externalize([model], { folder, location: `${name}.data`, threshold: 1 }),
    )
    return openModel(join(folder, `${name}.onnx`))
  }

  it('points all graphs of a precision to one head, and packs what the others leave', async () => {
    const folder = await temporaryFolder()
    const models = [
      await outside(folder, 'init', decoder(numbers(512), numbers(300))),
      await outside(folder, 'step', decoder(numbers(512), numbers(200, 7))),
    ]
    const head = await bytesOf(models[0] as Model, 'lm_head')
    const tie = await tieHeads(models, { folder })
    expect(tie.groups.length).toBe(1)
    await rewriteInPlace(models, tie)
    const [init, step] = ['init', 'step'].map((name) => openModel(join(folder, `${name}.onnx`))) as [
      Model,
      Model,
    ]
    expect(tensorNamed(step, 'lm_head').external.get('location')).toBe('init.data')
    expect(await bytesOf(step, 'lm_head')).toEqual(head)
    expect(await bytesOf(init, 'lm_head')).toEqual(head)
    expect(new Float32Array(new Uint8Array(await bytesOf(step, 'w')).buffer)[1]).toBe(7)
    expect((await stat(join(folder, 'step.data'))).size).toBe(800)
    expect((await verifyFolder(folder)).problems).toEqual([])
  })

  it('refuses heads of one precision that differ, and graphs without one', async () => {
    const folder = await temporaryFolder()
    const models = [
      await outside(folder, 'init', decoder(numbers(512), [1])),
      await outside(folder, 'step', decoder(numbers(512, 2), [1])),
    ]
    await expect(tieHeads(models, { folder })).rejects.toThrow('step.onnx has another lm_head than')
    const none = await writeModel(folder, 'none.onnx', { name: 'g' })
    await expect(tieHeads([none], { folder })).rejects.toThrow('none.onnx has no lm_head')
  })
})

describe('rename-data', () => {
  it('renames the file and every location of it, and nothing else', async () => {
    const folder = await temporaryFolder()
    const { models } = await shareInPlace(await twoGraphs(folder), 'shared.data')
    const data = await readFile(join(folder, 'shared.data'))
    const { edits, data: changes } = renameData(models, folder, 'shared.data', 'decoder_weights.data')
    await rewriteInPlace(models, { edits, data: changes })
    expect((await readdir(folder)).sort()).toEqual(['a.onnx', 'b.onnx', 'decoder_weights.data'])
    expect(await readFile(join(folder, 'decoder_weights.data'))).toEqual(data)
    expect((await verifyFolder(folder)).problems).toEqual([])
    expect(() => renameData(models, folder, 'nothing', 'x')).toThrow('None of the graphs reads nothing.')
    expect(() => renameData(models, folder, 'shared.data', '../x')).toThrow('outside the model')
  })
})

describe('alias', () => {
  it('is a hard link, also over an older one', async () => {
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'a'), 'x')
    await writeFile(join(folder, 'b'), 'old')
    expect(await alias(join(folder, 'a'), join(folder, 'b'))).toBe('link')
    expect(await alias(join(folder, 'a'), join(folder, 'b'))).toBe('link')
    expect((await stat(join(folder, 'b'))).ino).toBe((await stat(join(folder, 'a'))).ino)
  })

  it('is a copy where no hard link can be made', async () => {
    const folder = await temporaryFolder()
    const elsewhere = await mkdtemp('/dev/shm/qwen3-asr-onnx-') // a file system of its own
    onTestFinished(() => rm(elsewhere, { recursive: true }))
    await writeFile(join(elsewhere, 'a'), 'x')
    await writeFile(join(folder, 'b'), 'old')
    expect(await alias(join(elsewhere, 'a'), join(folder, 'b'))).toBe('copy')
    expect(await readFile(join(folder, 'b'), 'utf8')).toBe('x')
    expect(await readdir(folder)).toEqual(['b'])
  })
})

describe('edits that change nothing', () => {
  it('give an identical file', async () => {
    const folder = await temporaryFolder()
    const bytes = Buffer.from(encodeModel({ name: 'g', initializer: [floatTensor('a', equal)] }))
    const model = await writeModel(folder, 'm.onnx', { name: 'g', initializer: [floatTensor('a', equal)] })
    await rewritten(model)
    expect(await readFile(join(folder, 'm.onnx'))).toEqual(bytes)
  })
})

describe('files of others that come and go', () => {
  it('are none of the readers: those of the folder and of the one above are listed first', async () => {
    const above = await temporaryFolder()
    const folder = join(above, 'model')
    await mkdir(folder)
    const models = await twoGraphs(folder)
    await rewriteInPlace(models, await externalize(models, { folder, location: 'w.data', threshold: 1 }))
    const names = Array.from({ length: 1000 }, (_, i) => [join(above, `${i}.tmp`), join(folder, `${i}.part`)])
    const passing = names.flat()
    for (const path of passing) await writeFile(path, 'x')
    const [given] = models.map(({ path }) => openModel(path ?? ''))
    const reading = otherReaders(folder, given ? [given] : [], new Set(['w.data'])).catch((error) => error)
    await sleep(10) // they are listed, and hardly one has been looked at
    for (const path of passing) unlinkSync(path)
    const found = await reading
    expect(found).toEqual(new Map([['w.data', join(folder, 'b.onnx')]]))
  })
})
