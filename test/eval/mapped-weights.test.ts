// SPDX-License-Identifier: Apache-2.0

import { mkdir, readFile, realpath, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { onnx } from 'onnx-proto'
import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../eval/random.ts'
import { addMappedWeights, mapInlineWeights } from '../../eval/runtime/mapped-weights.ts'
import { type InferenceSession, Tensor } from '../../eval/runtime/onnxruntime.ts'
import { openGraph } from '../../eval/runtime/session.ts'
import { temporaryFolder } from '../helpers/folder.ts'

const [FLOAT, EXTERNAL] = [1, 1]
const WIDTH = 96

function floats(count: number, seed: number): Float32Array {
  const random = seededRandom(seed)
  return Float32Array.from({ length: count }, () => random() - 0.5)
}

const bytesOf = ({ buffer }: Float32Array) => new Uint8Array(buffer)

type Initializer = onnx.ITensorProto & { name: string }

/** y = x @ large + small; x, and what is named in `inputs`, are fed. */
function graphOf(initializer: Initializer[], inputs: string[] = []): Uint8Array {
  const value = (name: string, ...dims: (string | number)[]) => ({
    name,
    type: {
      tensorType: {
        elemType: FLOAT,
        shape: {
          dim: dims.map((size) => (typeof size === 'string' ? { dimParam: size } : { dimValue: size })),
        },
      },
    },
  })
  const graph = {
    name: 'g',
    node: [
      { opType: 'MatMul', input: ['x', 'large'], output: ['product'] },
      { opType: 'Add', input: ['product', 'small'], output: ['y'] },
    ],
    initializer,
    input: [value('x', 'rows', WIDTH), ...inputs.map((name) => value(name, WIDTH, WIDTH))],
    output: [value('y', 'rows', WIDTH)],
  }
  return onnx.ModelProto.encode({ irVersion: 10, opsetImport: [{ domain: '', version: 18 }], graph }).finish()
}

const LARGE = floats(WIDTH * WIDTH, 1)
const SMALL = floats(WIDTH, 2)
const X = floats(2 * WIDTH, 3)
const large: Initializer = { name: 'large', dataType: FLOAT, dims: [WIDTH, WIDTH], rawData: bytesOf(LARGE) }
const small: Initializer = { name: 'small', dataType: FLOAT, dims: [WIDTH], rawData: bytesOf(SMALL) }

async function run(session: InferenceSession, more: Record<string, Tensor> = {}): Promise<number[]> {
  const results = await session.run({ x: new Tensor('float32', X, [2, WIDTH]), ...more })
  await session.release()
  return [...((results['y'] as Tensor).data as Float32Array)]
}

async function folderWith(files: Record<string, Uint8Array>): Promise<string> {
  const folder = await temporaryFolder()
  for (const [name, bytes] of Object.entries(files)) await writeFile(join(folder, name), bytes)
  return folder
}

const CPU = { threads: 1 }

describe('weights inside of a graph', () => {
  it('are mapped from its own file: large ones alone, with the same results', async () => {
    const path = join(await folderWith({ 'g.onnx': graphOf([small, large]) }), 'g.onnx')
    const mapped = mapInlineWeights(path)
    expect(mapped?.bytes.length).toBeLessThan(SMALL.byteLength + 500)
    const { graph } = onnx.ModelProto.decode(mapped?.bytes ?? new Uint8Array())
    expect(graph?.initializer?.map(({ name, dataLocation }) => [name, dataLocation])).toEqual([
      ['small', 0],
      ['large', EXTERNAL],
    ])
    const plain = await run(await openGraph(path, undefined, CPU))
    expect(await run(await openGraph(path, mapped, CPU))).toEqual(plain)
    expect(plain[0]).toBeCloseTo(
      X.subarray(0, WIDTH).reduce((sum, value, i) => sum + value * (LARGE[i * WIDTH] ?? 0), SMALL[0] ?? 0),
      4,
    )
  })

  it('are mapped through a link from the folder that the file is in, as in the cache of the hub', async () => {
    const folder = await folderWith({ blob: graphOf([small, large]) })
    await mkdir(join(folder, 'snapshot'))
    const path = join(folder, 'snapshot', 'g.onnx')
    await symlink('../blob', path)
    const mapped = mapInlineWeights(path)
    expect(mapped?.folder).toBe(await realpath(folder))
    expect(await run(await openGraph(path, mapped, CPU))).toEqual(
      await run(await openGraph(join(folder, 'blob'), undefined, CPU)),
    )
  })

  it('are left where they are when they are few, or others are elsewhere already, or the file is cut short, missing or not a graph', async () => {
    const whole = graphOf([small, large])
    const folder = await folderWith({
      'few.onnx': graphOf([small]),
      'others.onnx': graphOf([
        {
          ...small,
          rawData: new Uint8Array(),
          dataLocation: EXTERNAL,
          externalData: [{ key: 'location', value: 'few.onnx' }],
        },
        large,
      ]),
      'cut.onnx': whole.subarray(0, whole.length - 2000),
      'empty.onnx': new Uint8Array(),
      'text.onnx': Buffer.from('version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n'),
    })
    await mkdir(join(folder, 'folder.onnx'))
    for (const name of ['few', 'others', 'cut', 'empty', 'text', 'gone', 'folder'])
      expect(mapInlineWeights(join(folder, `${name}.onnx`)), name).toBeUndefined()
    await expect(openGraph(join(folder, 'cut.onnx'), undefined, CPU)).rejects.toThrow(
      /^onnxruntime cannot load .*cut.onnx: /,
    )
  })
})

describe('weights of another file', () => {
  it('stand for inputs that are not fed, beside external data of the graph', async () => {
    const external: Initializer = {
      name: 'small',
      dataType: FLOAT,
      dims: [WIDTH],
      dataLocation: EXTERNAL,
      externalData: [
        { key: 'location', value: 'small.data' },
        { key: 'offset', value: '8' },
        { key: 'length', value: `${SMALL.byteLength}` },
      ],
    }
    const release = await folderWith({
      'g.onnx': graphOf([external], ['large']),
      'small.data': Buffer.concat([Buffer.alloc(8), bytesOf(SMALL)]),
    })
    const cache = await folderWith({ 'w.bin': Buffer.concat([Buffer.alloc(4096), bytesOf(LARGE)]) })
    const path = join(release, 'g.onnx')
    const weight = { name: 'large', type: FLOAT, dims: [WIDTH, WIDTH], file: 'w.bin', offset: 4096 }
    const bytes = addMappedWeights(path, [{ ...weight, length: LARGE.byteLength }])
    const mapped = { bytes, folder: cache }
    const fed = await run(await openGraph(path, undefined, CPU), {
      large: new Tensor('float32', LARGE, [WIDTH, WIDTH]),
    })
    expect(await run(await openGraph(path, mapped, CPU))).toEqual(fed)

    await truncate(join(release, 'small.data'), 100)
    expect(() => addMappedWeights(path, [])).toThrow(RangeError)
    const escaping = { ...external, externalData: [{ key: 'location', value: '../small.data' }] }
    await writeFile(path, graphOf([escaping], ['large']))
    expect(() => addMappedWeights(path, [])).toThrow(
      'A weight is in ../small.data, wanted a file beside the graph.',
    )
  })

  it('do not change the graph on the disk', async () => {
    const bytes = graphOf([small], ['large'])
    const path = join(await folderWith({ 'g.onnx': bytes }), 'g.onnx')
    addMappedWeights(path, [{ name: 'large', type: FLOAT, dims: [1], file: 'w', offset: 0, length: 4 }])
    expect(await readFile(path)).toEqual(Buffer.from(bytes))
  })
})
