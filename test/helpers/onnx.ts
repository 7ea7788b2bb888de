// SPDX-License-Identifier: Apache-2.0

import { createRequire } from 'node:module'
import type { onnx as Onnx } from 'onnx-proto'

export const { onnx } = createRequire(import.meta.url)('onnx-proto') as { onnx: typeof Onnx }

/** A field that onnx-proto's schema does not know, as newer exporters write it. */
export function unknownField(number: number, payload: string | Uint8Array): Uint8Array {
  const body = Buffer.from(payload as Uint8Array)
  return Buffer.concat([Buffer.from([...varint(number * 8 + 2), ...varint(body.length)]), body])
}

export function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) | 128, ...varint(Math.floor(value / 128))]
}

export function int64Tensor(name: string, values: readonly number[]): Onnx.ITensorProto {
  const rawData = new Uint8Array(BigInt64Array.from(values, BigInt).buffer)
  return { name, dims: [values.length], dataType: 7, rawData }
}

export function floatTensor(
  name: string,
  values: readonly number[],
  dims = [values.length],
): Onnx.ITensorProto {
  return { name, dims, dataType: 1, rawData: new Uint8Array(Float32Array.from(values).buffer) }
}

export function reshape(name: string, shape: string, allowzero?: number): Onnx.INodeProto {
  const attribute = allowzero === undefined ? [] : [{ name: 'allowzero', i: allowzero, type: 2 }]
  return { name, opType: 'Reshape', input: ['x', shape], output: [`${name}_out`], attribute }
}

export function encodeModel(graph: Onnx.IGraphProto): Uint8Array {
  return onnx.ModelProto.encode({ irVersion: 10, opsetImport: [{ domain: '', version: 18 }], graph }).finish()
}

/** The edited file as one buffer; for edits without file ranges. */
export function joined(pieces: readonly (Uint8Array | object)[]): Uint8Array {
  return Buffer.concat(pieces.filter((piece): piece is Uint8Array => piece instanceof Uint8Array))
}

/** A small model with something of everything: subgraph, function, typed data, metadata, fields of newer schemas. */
export function sampleModel(): Uint8Array {
  const branch = {
    name: 'then',
    initializer: [int64Tensor('s', [4, -1])],
    node: [reshape('inner', 's', 1)],
    output: [{ name: 'inner_out' }],
  }
  const metadata = (text: string) =>
    unknownField(9, Buffer.concat([unknownField(1, 'pkg.torch.onnx.stack_trace'), unknownField(2, text)]))
  const node = Buffer.concat([
    onnx.NodeProto.encode(reshape('traced', 'shape', 1)).finish(),
    metadata('File "/home/somebody/model.py", line 1'),
    unknownField(8, 'overload'),
  ])
  const value = (name: string, elemType: number, size: number) => ({
    name,
    type: {
      tensorType: { elemType, shape: { dim: [{ dimValue: 1 }, { dimValue: size }, { dimParam: 'T' }] } },
    },
  })
  const graph = onnx.GraphProto.encode({
    name: 'sample',
    initializer: [
      int64Tensor('shape', [1, -1, 8]),
      floatTensor('weight', [1, 2, 3, 4], [2, 2]),
      floatTensor('again', [1, 2, 3, 4]),
      { name: 'typed', dims: [3], dataType: 6, int32Data: [1, -2, 3] },
      { name: 'text', dims: [1], dataType: 8, stringData: [Buffer.from('word')] },
      {
        name: 'outside',
        dims: [4],
        dataType: 1,
        dataLocation: 1,
        externalData: [
          { key: 'location', value: 'weights.data' },
          { key: 'offset', value: '4096' },
          { key: 'length', value: '16' },
        ],
      },
    ],
    node: [
      reshape('plain', 'shape', 1),
      {
        name: 'c',
        opType: 'Constant',
        output: ['constant'],
        attribute: [{ name: 'value', type: 4, t: int64Tensor('', [2, 3]) }],
      },
      { name: 'if', opType: 'If', output: ['y'], attribute: [{ name: 'then_branch', type: 5, g: branch }] },
    ],
    input: [value('mel', 1, 128)],
    output: [value('audio_features', 1, 64)],
  }).finish()
  const body = Buffer.concat([
    unknownField(1, 'f'),
    unknownField(7, onnx.NodeProto.encode(reshape('in_f', 'x', 1)).finish()),
  ])
  return Buffer.concat([
    onnx.ModelProto.encode({
      irVersion: 10,
      producerName: 'sample',
      producerVersion: '1',
      opsetImport: [{ domain: '', version: 18 }],
      metadataProps: [{ key: 'licence', value: 'Apache-2.0' }],
    }).finish(),
    unknownField(7, Buffer.concat([graph, unknownField(1, node)])),
    unknownField(25, body),
    unknownField(26, 'device configuration'),
  ])
}
