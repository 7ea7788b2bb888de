import { mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { alias } from '../../graph-tools/alias.ts'
import { findEmbedding, readEmbeddingFp16, writeEmbeddingFp16 } from '../../graph-tools/embed-fp16.ts'
import { ALIGNMENT, contentOf, moveOut } from '../../graph-tools/external-data.ts'
import { readRange, writeWhole } from '../../graph-tools/files.ts'
import { inlineWeights } from '../../graph-tools/inline-weights.ts'
import { type Model, parseModel, type Tensor } from '../../graph-tools/model.ts'
import { shareWeights } from '../../graph-tools/share-weights.ts'
import { applyEdits, type Content } from '../../graph-tools/splice.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { encodeModel, floatTensor, joined, onnx } from '../helpers/onnx.ts'

const numbers = (count: number, scale = 1) => Array.from({ length: count }, (_, i) => scale * i)

function modelWith(...initializer: ReturnType<typeof floatTensor>[]): Model {
  return parseModel(encodeModel({ name: 'g', initializer }))
}

async function bytesOf(model: Model, name: string, folder: string): Promise<Buffer> {
  const tensor = model.graph.initializers.find((found) => found.name === name) as Tensor
  const content = contentOf(model, tensor, folder) as Content
  if (content instanceof Uint8Array) return Buffer.from(content)
  const chunks: Buffer[] = []
  for await (const chunk of readRange(content)) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}

describe('shareWeights', () => {
  const equal = numbers(512)
  const first = modelWith(
    floatTensor('a', equal),
    floatTensor('b', numbers(512, 2)),
    floatTensor('small', [1]),
  )
  const second = modelWith(
    floatTensor('only_here', numbers(512, 3)),
    floatTensor('same_as_a', equal, [8, 64]),
    floatTensor('again', equal),
  )

  it('stores equal bytes once, across graphs and inside one, whatever name and shape', async () => {
    const folder = await temporaryFolder()
    const path = join(folder, 'shared.data')
    const graphs = [first, second].map((model) => ({ model, folder }))
    const result = await shareWeights(graphs, path, 'shared.data', { minimum: 1024, keep: [] })
    expect(result).toMatchObject({ tensors: 5, stored: 3, bytes: 2 * ALIGNMENT + 2048 })
    const [left, right] = [first, second].map((model, i) =>
      parseModel(joined(applyEdits(model.bytes, result.edits[i] ?? []))),
    ) as [Model, Model]
    for (const [before, after] of [
      [first, left],
      [second, right],
    ] as const) {
      for (const { name } of before.graph.initializers) {
        expect(await bytesOf(after, name, folder)).toEqual(await bytesOf(before, name, folder))
      }
    }
    const offset = (model: Model, name: string) =>
      model.graph.initializers.find((tensor) => tensor.name === name)?.external.get('offset')
    expect(offset(right, 'same_as_a')).toBe(offset(left, 'a'))
    expect(offset(left, 'small')).toBeUndefined()
  })

  it('tells apart tensors that differ in one bit', async () => {
    const folder = await temporaryFolder()
    const other = [...equal]
    other[3] = 3.0000002
    const model = modelWith(floatTensor('a', equal), floatTensor('b', other))
    const result = await shareWeights([{ model, folder }], join(folder, 'x'), 'x', {
      minimum: 1024,
      keep: [],
    })
    expect(result.stored).toBe(2)
  })

  it.each(['/etc/passwd', '../secret', 'a/../../secret', ''])('refuses the location %j', async (location) => {
    const folder = await temporaryFolder()
    const plain = modelWith(floatTensor('a', equal))
    const [tensor] = plain.graph.initializers
    const edits = moveOut(tensor as Tensor, location, 0, 2048)
    const model = parseModel(joined(applyEdits(plain.bytes, edits)))
    const sharing = shareWeights([{ model, folder }], join(folder, 'x'), 'x', { minimum: 1024, keep: [] })
    await expect(sharing).rejects.toThrow("outside the model's folder")
  })
})

describe('inlineWeights', () => {
  it('is the inverse of moving out', async () => {
    const folder = await temporaryFolder()
    const model = modelWith(floatTensor('a', numbers(512)), floatTensor('b', numbers(300)))
    const { edits } = await shareWeights([{ model, folder }], join(folder, 'w'), 'w', {
      minimum: 1,
      keep: [],
    })
    const outside = parseModel(joined(applyEdits(model.bytes, edits[0] ?? [])))
    await writeWhole(join(folder, 'inside.onnx'), applyEdits(outside.bytes, inlineWeights(outside, folder)))
    const inside = onnx.ModelProto.decode(await readFile(join(folder, 'inside.onnx')))
    const before = onnx.ModelProto.decode(model.bytes)
    expect(inside.graph?.initializer).toEqual(before.graph?.initializer)
  })

  it('refuses to pass the 2 GiB limit', async () => {
    const plain = modelWith(floatTensor('a', [1]))
    const edits = moveOut(plain.graph.initializers[0] as Tensor, 'big', 0, 2 ** 31)
    const model = parseModel(joined(applyEdits(plain.bytes, edits)))
    expect(() => inlineWeights(model, '.')).toThrow('protobuf allows 2147483647')
  })

  it('says where a data file is too short or missing', async () => {
    const folder = await temporaryFolder()
    const plain = modelWith(floatTensor('a', numbers(512)))
    const edits = moveOut(plain.graph.initializers[0] as Tensor, 'w', 4096, 2048)
    const model = parseModel(joined(applyEdits(plain.bytes, edits)))
    const write = () =>
      writeWhole(join(folder, 'out.onnx'), applyEdits(model.bytes, inlineWeights(model, folder)))
    await expect(write()).rejects.toThrow('is missing')
    await writeFile(join(folder, 'w'), new Uint8Array(5000))
    await expect(write()).rejects.toThrow('ends at byte 5000, but a tensor reaches to byte 6144')
    await expect(stat(join(folder, 'out.onnx'))).rejects.toThrow('ENOENT')
    await expect(stat(join(folder, 'out.onnx.partial'))).rejects.toThrow('ENOENT')
  })
})

describe('embedding to FP16', () => {
  const table = (values: readonly number[]) => {
    const gather = { opType: 'Gather', name: 'look', input: ['table', 'input_ids'], output: ['embeds'] }
    const next = { opType: 'Relu', input: ['embeds'], output: ['y'] }
    return parseModel(
      encodeModel({
        name: 'g',
        initializer: [floatTensor('table', values, [values.length / 2, 2])],
        node: [gather, next],
      }),
    )
  }

  it('writes the halves and puts a Cast between Gather and reader', async () => {
    const folder = await temporaryFolder()
    const model = table([0, 1, -2, 0.1])
    const found = findEmbedding(model.graph)
    await writeEmbeddingFp16(model, found, folder, join(folder, 'embed_tokens.bin'))
    expect([
      ...new Uint16Array(new Uint8Array(await readFile(join(folder, 'embed_tokens.bin'))).buffer),
    ]).toEqual([0, 0x3c00, 0xc000, 0x2e66])
    const edited = parseModel(joined(applyEdits(model.bytes, readEmbeddingFp16(found, 'embed_tokens.bin'))))
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
  })

  it('names the row of a value that FP16 cannot hold', async () => {
    const folder = await temporaryFolder()
    const model = table([0, 1, 70000, 0])
    const writing = writeEmbeddingFp16(model, findEmbedding(model.graph), folder, join(folder, 'e'))
    await expect(writing).rejects.toThrow('table row 1 holds 70000')
  })
})

describe('files', () => {
  it('leaves the old file and no other when the disk is full', async () => {
    const folder = await temporaryFolder()
    const path = join(folder, 'graph.onnx')
    await writeWhole(path, [Buffer.from('old')])
    await symlink('/dev/full', `${path}.partial`) // every write to it fails with ENOSPC
    await expect(writeWhole(path, [Buffer.from('new')])).rejects.toMatchObject({ code: 'ENOSPC' })
    expect(await readFile(path, 'utf8')).toBe('old')
    await expect(stat(`${path}.partial`)).rejects.toThrow('ENOENT')
  })

  it('alias is a hard link, also over an older one', async () => {
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'a'), 'x')
    await writeFile(join(folder, 'b'), 'old')
    expect(await alias(join(folder, 'a'), join(folder, 'b'))).toBe('link')
    expect(await alias(join(folder, 'a'), join(folder, 'b'))).toBe('link')
    expect((await stat(join(folder, 'b'))).ino).toBe((await stat(join(folder, 'a'))).ino)
  })

  it('alias is a copy where no hard link can be made', async () => {
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
