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
