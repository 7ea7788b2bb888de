// SPDX-License-Identifier: Apache-2.0

import { mkdir, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { onnx as Onnx } from 'onnx-proto'
import { describe, expect, it } from 'vitest'
import { Bytes } from '../../graph-tools/bytes.ts'
import { recover } from '../../graph-tools/commit.ts'
import { contractProblems } from '../../graph-tools/contract.ts'
import { diffModels } from '../../graph-tools/diff.ts'
import { embedFp16 } from '../../graph-tools/embed-fp16.ts'
import { externalize, inlineWeights } from '../../graph-tools/externalize.ts'
import { GraphError } from '../../graph-tools/graph-error.ts'
import { inspectModel } from '../../graph-tools/inspect.ts'
import { JOURNAL } from '../../graph-tools/journal.ts'
import { type Model, openModel, parseModel } from '../../graph-tools/model.ts'
import { MAX_FIELDS } from '../../graph-tools/model-reader.ts'
import { renameData } from '../../graph-tools/rename-data.ts'
import { shareWeights } from '../../graph-tools/share.ts'
import { applyEdits, contentLength } from '../../graph-tools/splice.ts'
import { stripAllowzero } from '../../graph-tools/strip-allowzero.ts'
import { stripTraces } from '../../graph-tools/strip-traces.ts'
import { contentOf } from '../../graph-tools/tensor-data.ts'
import { tieHeads } from '../../graph-tools/tie.ts'
import { verifyFolder } from '../../graph-tools/verify.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { tensorNamed, writeModel } from '../helpers/graph-files.ts'
import { encodeModel, floatTensor, joined, onnx, sampleModel, unknownField, varint } from '../helpers/onnx.ts'
import { seededRandom } from '../helpers/random.ts'

/* Slow: thousands of files made by chance. */

const MUTATIONS = 20_000

/** Everything that reads or edits a model without touching other files. */
function exercise(bytes: Uint8Array): void {
  const model = parseModel(bytes, '/nonexistent')
  inspectModel(model)
  contractProblems('encoder', model)
  for (const tensor of model.tensors) tryGraph(() => contentOf(model, tensor))
  const edits = tryGraph(() => [...stripTraces(model), ...stripAllowzero(model).edits])
  if (!edits) return
  const edited = joined(applyEdits(model.bytes, edits))
  expect(edited.length).toBe(contentLength(applyEdits(model.bytes, edits)))
  const again = parseModel(edited)
  expect(again.bodies.length).toBe(model.bodies.length)
  expect(again.tensors.map(({ name }) => name)).toEqual(model.tensors.map(({ name }) => name))
}

function tryGraph<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch (error) {
    if (error instanceof GraphError) return undefined
    throw error
  }
}

/** A graph's input or output; an axis with a name is dynamic. */
function typed(name: string, elemType: number, dims: readonly (number | string)[]) {
  const dim = dims.map((size) => (typeof size === 'string' ? { dimParam: size } : { dimValue: size }))
  return { name, type: { tensorType: { elemType, shape: { dim } } } }
}

describe('damaged bytes are a GraphError, never another error, a hang or a wild allocation', () => {
  it('cut off at every byte', () => {
    const whole = sampleModel()
    let refused = 0
    for (let length = 0; length < whole.length; length++) {
      const isRead = tryGraph(() => parseModel(whole.subarray(0, length))) !== undefined
      if (!isRead) refused++
    }
    // Cut exactly between two top-level fields after the graph it is a shorter, well-formed model.
    expect(refused).toBeGreaterThan(whole.length - 10)
  })

  it(`mutated ${MUTATIONS} times, seeded`, () => {
    const whole = sampleModel()
    const random = seededRandom(20_260)
    let accepted = 0
    for (let i = 0; i < MUTATIONS; i++) {
      const bytes = mutate(whole, random)
      tryGraph(() => {
        exercise(bytes)
        accepted++
      })
    }
    // Both ends were exercised: most single mutations hit names and weights, which may be anything.
    expect(accepted).toBeGreaterThan(MUTATIONS / 10)
    expect(accepted).toBeLessThan(MUTATIONS * 0.95)
  })

  it('mutated on disk, through the window and the rewrites', async () => {
    const folder = await temporaryFolder()
    const random = seededRandom(7)
    const path = join(folder, 'm.onnx')
    const original = join(await temporaryFolder(), 'whole.onnx')
    await writeFile(join(folder, 'weights.data'), new Uint8Array(8192))
    await writeFile(join(dirname(original), 'weights.data'), new Uint8Array(8192))
    const sample = withHead(sampleModel())
    await writeFile(original, sample)
    const whole = openModel(original)
    const options = { folder, location: 'w.data', threshold: 1, minimum: 1 }
    const steps: ((model: Model) => unknown)[] = [
      (model) => diffModels(model, whole),
      (model) => renameData([model], folder, 'weights.data', 'renamed.data'),
      (model) => externalize([model], options),
      (model) => shareWeights([model, model], options),
      (model) => inlineWeights(model),
      (model) => embedFp16([model], { folder, location: 'embed_tokens.bin' }),
      (model) => tieHeads([model, whole], options),
    ]
    const done = steps.map(() => 0)
    for (let i = 0; i < 600; i++) {
      await writeFile(path, mutate(sample, random))
      const model = tryGraph(() => openModel(path))
      for (const [at, step] of steps.entries()) {
        try {
          if (model) await step(model)
          if (model) done[at] = (done[at] ?? 0) + 1
        } catch (error) {
          expect(error).toBeInstanceOf(GraphError)
        }
      }
      expect(await readdir(folder)).toEqual(['m.onnx', 'weights.data'])
    }
    for (const count of done) expect(count).toBeGreaterThan(50)
  })

  it('mutated journals change nothing outside of their folder', async () => {
    const outer = await temporaryFolder()
    await writeFile(join(outer, 'precious'), 'precious')
    const random = seededRandom(11)
    const journal = { names: ['a.onnx', 'w.data'], removes: ['old.data'], patches: { 'a.onnx': 3 } }
    let carriedOut = 0
    for (let i = 0; i < 300; i++) {
      const folder = join(outer, `f${i}`)
      await mkdir(folder)
      for (const name of ['a.onnx', 'a.onnx.partial', 'w.data.partial', 'old.data'])
        await writeFile(join(folder, name), 'some bytes')
      await writeFile(
        join(folder, JOURNAL),
        i === 0 ? JSON.stringify(journal) : mutate(Buffer.from(JSON.stringify(journal)), random),
      )
      await recover(folder).then(
        () => carriedOut++,
        (error) => expect(error).toBeInstanceOf(GraphError),
      )
      await rm(folder, { recursive: true })
      expect(await readdir(outer)).toEqual(['precious'])
    }
    expect(carriedOut).toBeGreaterThan(10)
    expect(await readFile(join(outer, 'precious'), 'utf8')).toBe('precious')
  })

  it.each([
    ['a length of 2^63', [0x3a, ...new Array(9).fill(0xff), 0x7f], 'not a possible length'],
    ['a varint of 11 bytes', [0x08, ...new Array(11).fill(0x80)], 'has more than 10 bytes'],
    ['a length past the end', [0x3a, 0x7f, 0x00], 'but its message ends at byte 3'],
    ['groups in groups', new Array(5000).fill(0x0b), 'not a protobuf field'],
    ['zeros', new Array(64).fill(0), 'not a protobuf field'],
    ['an empty file', [], 'The file holds 0 graphs'],
    ['two graphs', [0x3a, 0x00, 0x3a, 0x00], 'The file holds 2 graphs'],
  ])('%s', (_what, bytes, message) => {
    expect(() => parseModel(Uint8Array.from(bytes))).toThrow(message)
  })

  it('graphs nested without end, dimensions and names beyond reason', () => {
    let graph: Uint8Array = unknownField(2, 'innermost')
    for (let depth = 0; depth < 80; depth++) graph = unknownField(1, unknownField(5, unknownField(6, graph)))
    expect(() => parseModel(unknownField(7, graph))).toThrow('Graphs are nested deeper than 64')

    const tensor = (...fields: Uint8Array[]) => unknownField(7, unknownField(5, Buffer.concat(fields)))
    const dims = unknownField(1, Uint8Array.from(new Array(100).fill(1)))
    expect(() => parseModel(tensor(dims))).toThrow('more than 64 dimensions')
    const negative = Uint8Array.from([0x08, ...new Array(9).fill(0xff), 1])
    expect(() => parseModel(tensor(negative))).toThrow('has a dimension of -1')
    expect(() => parseModel(tensor(unknownField(8, Buffer.alloc(2 << 20, 'x'))))).toThrow('wanted at most')
  })

  it('a tensor that claims more than it has, or more than there can be', () => {
    const claim = (dims: number[], more: object = {}) =>
      parseModel(encodeModel({ name: 'g', initializer: [{ name: 't', dims, dataType: 1, ...more }] }))
    const read = (model: Model) => contentOf(model, tensorNamed(model, 't'))
    expect(() => read(claim([1000], { rawData: new Uint8Array(12) }))).toThrow('has 12 bytes, wanted 4000')
    expect(() => read(claim([2 ** 40, 2 ** 40], { rawData: new Uint8Array(12) }))).toThrow(
      'larger than 2^53 bits',
    )
    expect(() => read(claim([2 ** 40], { floatData: [1] }))).toThrow('has 4 bytes, wanted 4398046511104')
  })

  it('millions of nodes in a small file are refused before they take gigabytes', async () => {
    const path = join(await temporaryFolder(), 'many.onnx')
    await writeFile(path, unknownField(7, Buffer.from('0a00'.repeat(MAX_FIELDS + 1), 'hex')))
    expect(() => openModel(path)).toThrow(`The model has more than ${MAX_FIELDS} fields.`)
  })
})

describe('external data stays inside its folder and its file', () => {
  const withExternal = (folder: string, entries: Record<string, string>) =>
    writeModel(folder, 'm.onnx', {
      name: 'g',
      initializer: [
        {
          name: 't',
          dims: [4],
          dataType: 1,
          dataLocation: 1,
          externalData: Object.entries(entries).map(([key, value]) => ({ key, value })),
        },
      ],
    })

  it.each([
    '/etc/passwd',
    '../../etc/passwd',
    'a/../../secret',
    '..\\secret',
    'C:\\secret',
    'C:secret',
    '\\\\host\\share',
    'a\0b',
    '',
  ])('refuses the location %j', async (location) => {
    const folder = await temporaryFolder()
    const problem = location === '' ? 'location of external data is empty' : "is outside the model's folder"
    const model = await withExternal(folder, { location, offset: '0', length: '16' })
    expect(() => contentOf(model, tensorNamed(model, 't'))).toThrow(problem)
    await expect(inlineWeights(model)).rejects.toThrow(problem)
    const { problems } = await verifyFolder(folder)
    expect(problems.length).toBe(1)
    expect(problems[0]).toContain(problem)
  })

  it('refuses links that lead out, and links in a circle', async () => {
    const outside = await temporaryFolder()
    const folder = await temporaryFolder()
    await writeFile(join(outside, 'secret'), new Uint8Array(16))
    await symlink(join(outside, 'secret'), join(folder, 'file'))
    await symlink(outside, join(folder, 'folder'))
    await symlink(join(folder, 'circle'), join(folder, 'circle'))
    for (const location of ['file', 'folder/secret', 'folder/new']) {
      const model = await withExternal(folder, { location })
      await expect(inlineWeights(model)).rejects.toThrow("is outside the model's folder")
      await expect(shareWeights([model], { folder, location, minimum: 1 })).rejects.toThrow(
        "outside the model's folder",
      )
    }
    const model = await withExternal(folder, { location: 'circle' })
    await expect(inlineWeights(model)).rejects.toThrow('is a link in a circle')
  })

  it.each([
    [{ offset: '-1' }, 'external offset is "-1", wanted a byte count'],
    [{ offset: '9223372036854775808' }, 'external offset is "9223372036854775808", wanted a byte count'],
    [{ offset: '1e3' }, 'external offset is "1e3", wanted a byte count'],
    [{ offset: '9007199254740985' }, 'ends beyond 2^53 bytes'],
    [{ length: '-16' }, 'external length is "-16", wanted a byte count'],
    [{ length: '9000000000000000' }, 'external length is 9000000000000000, its type and shape take 16 bytes'],
  ])('refuses %j', async (entries, message) => {
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'w'), new Uint8Array(64))
    const model = await withExternal(folder, { location: 'w', ...entries })
    await expect(inlineWeights(model)).rejects.toThrow(message)
    expect((await verifyFolder(folder)).problems.join()).toContain(message)
  })

  it('a new data file cannot be put outside either', async () => {
    const folder = await temporaryFolder()
    const model = await writeModel(folder, 'm.onnx', { name: 'g', initializer: [floatTensor('a', [1, 2])] })
    const moving = externalize([model], { folder, location: '../w.data', threshold: 1 })
    await expect(moving).rejects.toThrow("is outside the model's folder")
  })
})

describe('verify names what is wrong', () => {
  const place = (name: string, dims: number[], location: string, offset: number): Onnx.ITensorProto => ({
    name,
    dims,
    dataType: 1,
    dataLocation: 1,
    externalData: [
      { key: 'location', value: location },
      { key: 'offset', value: String(offset) },
    ],
  })

  it('ranges that overlap, leave bytes unused, run past the end; files that are missing or unread', async () => {
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'w.data'), new Uint8Array(10_000).fill(1))
    await writeFile(join(folder, 'unread.data'), 'x')
    await writeModel(folder, 'm.onnx', {
      name: 'g',
      initializer: [
        place('a', [4], 'w.data', 0),
        place('same', [2, 2], 'w.data', 0),
        place('overlaps', [4], 'w.data', 8),
        place('after_garbage', [4], 'w.data', 100),
        place('past', [400], 'w.data', 9000),
        place('lost', [4], 'gone.data', 0),
      ],
    })
    const { problems, ...counts } = await verifyFolder(folder)
    expect(counts).toEqual({ graphs: 1, dataFiles: 2, tensors: 6 })
    expect(problems).toEqual([
      'm.onnx: overlaps at byte 8 of w.data overlaps m.onnx: a.',
      'w.data: 76 bytes from byte 24 are read by nothing and are not padding.',
      'm.onnx: past reaches to byte 10600 of w.data, which has 10000.',
      'w.data: 8884 bytes from byte 116 are read by nothing.',
      'gone.data is missing, but m.onnx reads 1 tensors from it.',
      'unread.data is read by no graph.',
    ])
  })

  it('no file as unread that a graph names, by a link or with a range that is wrong', async () => {
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'real.bin'), new Uint8Array(16))
    await symlink('real.bin', join(folder, 'w.data'))
    await writeFile(join(folder, 'wrong.data'), new Uint8Array(16))
    await mkdir(join(folder, 'folder.data'))
    const wrong = place('wrong', [4], 'wrong.data', 0)
    wrong.externalData?.push({ key: 'length', value: '20' })
    await writeModel(folder, 'm.onnx', {
      name: 'g',
      initializer: [place('linked', [4], 'w.data', 0), wrong, place('none', [4], 'folder.data', 0)],
    })
    expect((await verifyFolder(folder)).problems).toEqual([
      'm.onnx: Tensor wrong: external length is 20, its type and shape take 16 bytes.',
      'folder.data is not a regular file, but m.onnx reads 1 tensors from it.',
    ])
  })

  it('inputs and outputs that are not the contract’s', async () => {
    const folder = await temporaryFolder()
    await writeModel(folder, 'encoder.int4.onnx', {
      name: 'g',
      input: [typed('mel', 1, [1, 80, 'T']), typed('mask', 7, ['T'])],
      output: [typed('features', 1, [1, 'N', 1024])],
    })
    expect((await verifyFolder(folder)).problems).toEqual([
      'encoder.int4.onnx input mel is float32 [1, 80, T], wanted float32 [1, 128, t].',
      'encoder.int4.onnx has no output audio_features, wanted float32 [1, n, H].',
      'encoder.int4.onnx requires the input mask, which readers do not give.',
      'decoder_init.int4.onnx and decoder_step.int4.onnx are missing: a release has all graphs.',
    ])
  })

  it('graphs of other sizes than the rest of the release, releases without all graphs, data files by any name', async () => {
    const folder = await temporaryFolder()
    const port = (name: string, dims: (number | string)[]) => typed(name, 1, dims)
    const encoder = (name: string, size: number) =>
      writeModel(folder, name, {
        name: 'g',
        input: [port('mel', [1, 128, 'T'])],
        output: [port('audio_features', [1, 'N', size])],
      })
    await encoder('encoder.onnx', 64)
    await encoder('encoder.int4.onnx', 32)
    for (const name of ['model.onnx_data', 'model.onnx_data_1', 'w.weights', 'notes.txt'])
      await writeFile(join(folder, name), 'x')
    expect((await verifyFolder(folder)).problems).toEqual([
      'encoder.onnx output audio_features is float32 [1, N, 64], wanted float32 [1, n, H] with H = 32 as in encoder.int4.onnx.',
      'decoder_init.onnx and decoder_step.onnx are missing: a release has all graphs.',
      'model.onnx_data is read by no graph.',
      'model.onnx_data_1 is read by no graph.',
      'w.weights is read by no graph.',
    ])
  })

  it('a fused decoder that is not the contract’s', async () => {
    const folder = await temporaryFolder()
    const write = (layers: number[], lengths: (number | string)[]) =>
      writeModel(folder, 'decoder.onnx', {
        name: 'g',
        input: [
          typed('input_embeds', 1, ['B', 'S', 64]),
          typed('past_lengths', 7, lengths),
          ...layers.map((i) => typed(`past_key_values.${i}.key`, 1, ['B', 2, 'C', 32])),
          ...layers.map((i) => typed(`past_key_values.${i}.value`, 1, ['B', 2, 'C', 32])),
        ],
        output: [
          typed('logits', 1, ['B', 1, 448]),
          ...layers.flatMap((i) => [
            typed(`new.${i}.key`, 1, ['B', 2, 'S', 32]),
            typed(`new.${i}.value`, 1, ['B', 2, 'S', 16]),
          ]),
        ],
      })
    const problems = async () => (await verifyFolder(folder)).problems
    await write([0, 2], [1])
    expect(await problems()).toEqual([
      'decoder.onnx has no input input_lengths, wanted int64 [b*n].',
      'decoder.onnx input past_lengths is int64 [1], wanted int64 [b].',
      'decoder.onnx has no input past_key_values.1.key, wanted float32 [b, K, c, D].',
      'decoder.onnx has no input past_key_values.1.value, wanted float32 [b, K, c, D].',
      'decoder.onnx output new.0.value is float32 [B, 2, S, 16], wanted float32 [b, K, s, D] with D = 32 as in decoder.onnx.',
      'decoder.onnx has no output new.1.key, wanted float32 [b, K, s, D].',
      'decoder.onnx has no output new.1.value, wanted float32 [b, K, s, D].',
      'decoder.onnx requires the input past_key_values.2.key, which readers do not give.',
      'decoder.onnx requires the input past_key_values.2.value, which readers do not give.',
    ])
    await write([], ['B'])
    expect(await problems()).toContain(
      'decoder.onnx has no input past_key_values.0.key, wanted float32 [b, K, c, D].',
    )
  })

  it('an embedding table that its config does not describe', async () => {
    const folder = await temporaryFolder()
    await writeModel(folder, 'm.onnx', { name: 'g' })
    await writeFile(join(folder, 'embed_tokens.bin'), '')
    await truncate(join(folder, 'embed_tokens.bin'), 64)
    expect((await verifyFolder(folder)).problems).toEqual([
      'embed_tokens.bin has no config.json beside it with its type and shape.',
    ])
    await writeFile(
      join(folder, 'config.json'),
      '{"embed_tokens_shape": [8, 4], "embed_tokens_dtype": "float16"}',
    )
    expect((await verifyFolder(folder)).problems).toEqual([])
    await writeFile(join(folder, 'config.json'), '{"embed_tokens_shape": [8, 4]}')
    expect((await verifyFolder(folder)).problems).toEqual([
      'embed_tokens.bin has 64 bytes, config.json requires 128 (float32 [8, 4]).',
    ])
    for (const config of [
      ...['null', '[]', '{}', '{"embed_tokens_shape": "8,4"}', '{"embed_tokens_shape": [8, 4, 1]}'],
      ...['{"embed_tokens_shape": [8.5, 4]}', '{"embed_tokens_shape": [32, 1], "embed_tokens_dtype": 16}'],
    ]) {
      await writeFile(join(folder, 'config.json'), config)
      expect((await verifyFolder(folder)).problems, config).toEqual([
        'config.json does not describe embed_tokens.bin: wanted embed_tokens_dtype "float16" or "float32", and embed_tokens_shape of two sizes.',
      ])
    }
    await mkdir(join(folder, 'empty'))
    expect((await verifyFolder(join(folder, 'empty'))).problems).toEqual([
      `${join(folder, 'empty')} holds no ONNX file.`,
    ])
  })
})

/** The sample with an embedding table and an lm_head, on which every rewrite has something to do. */
function withHead(bytes: Uint8Array): Uint8Array {
  const more = onnx.GraphProto.encode({
    initializer: [floatTensor('table', [1, 2], [1, 2]), floatTensor('head', [3, 4], [2, 1])],
    node: [
      { opType: 'Gather', input: ['table', 'input_ids'], output: ['embeds'] },
      { opType: 'MatMul', input: ['embeds', 'head'], output: ['logits'] },
    ],
  }).finish()
  const { graph } = parseModel(bytes)
  const { region } = graph
  return joined(
    applyEdits(Bytes.of(bytes), [{ region, start: region.end, end: region.end, content: [more] }]),
  )
}

/** One to three changes: a flipped bit, another byte, a byte gone, a few in, a stretch repeated, a varint made long. */
function mutate(whole: Uint8Array, random: (below: number) => number): Uint8Array {
  let bytes = Buffer.from(whole)
  for (let times = random(3); times >= 0; times--) {
    const at = random(bytes.length)
    const [head, tail] = [bytes.subarray(0, at), bytes.subarray(at)]
    const kind = random(6)
    if (kind === 0) bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8))
    else if (kind === 1) bytes[at] = random(256)
    else if (kind === 2) bytes = Buffer.concat([head, tail.subarray(1 + random(8))])
    else if (kind === 3) bytes = Buffer.concat([head, Buffer.from(varint(random(2 ** 31))), tail])
    else if (kind === 4) bytes = Buffer.concat([head, tail.subarray(0, random(64)), tail])
    else bytes = Buffer.concat([head, Buffer.alloc(random(12), 0x80), tail])
  }
  return bytes
}
