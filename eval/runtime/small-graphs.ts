// SPDX-License-Identifier: Apache-2.0

/* Graphs of a few operators, as bytes of ONNX (onnx.proto): what a device runs before a model is loaded. */

/** y = x + x, float32 [4]. */
export function sumGraph(): Uint8Array {
  return model([node('Add', ['x', 'x'], 'y')])
}

/** y = x * x, float32 [4], computed in float16. */
export function halfGraph(): Uint8Array {
  return model([
    node('Cast', ['x'], 'h', FLOAT16),
    node('Mul', ['h', 'h'], 'g'),
    node('Cast', ['g'], 'y', FLOAT),
  ])
}

const [FLOAT, FLOAT16] = [1, 10]
const [IR_VERSION, OPSET] = [8, 17]
const LENGTH = 4

function model(nodes: readonly number[][]): Uint8Array {
  const graph = [
    ...nodes.flatMap((one) => block(1, one)),
    ...block(2, text('small')),
    ...block(11, value('x')),
    ...block(12, value('y')),
  ]
  return Uint8Array.from([...integer(1, IR_VERSION), ...block(7, graph), ...block(8, integer(2, OPSET))])
}

/** @param to the type of a cast */
function node(operator: string, inputs: readonly string[], output: string, to?: number): number[] {
  const attribute = to === undefined ? [] : [...block(1, text('to')), ...integer(3, to), ...integer(20, 2)]
  return [
    ...inputs.flatMap((name) => block(1, text(name))),
    ...block(2, text(output)),
    ...block(4, text(operator)),
    ...(to === undefined ? [] : block(5, attribute)),
  ]
}

/** A float32 tensor [4]. */
function value(name: string): number[] {
  const shape = block(1, integer(1, LENGTH))
  const tensor = [...integer(1, FLOAT), ...block(2, shape)]
  return [...block(1, text(name)), ...block(2, block(1, tensor))]
}

/** A field of bytes, shorter than 16384. */
function block(field: number, bytes: readonly number[]): number[] {
  return [...varint((field << 3) | 2), ...varint(bytes.length), ...bytes]
}

function integer(field: number, number: number): number[] {
  return [...varint(field << 3), ...varint(number)]
}

function varint(number: number): number[] {
  return number < 128 ? [number] : [(number & 127) | 128, ...varint(number >> 7)]
}

function text(letters: string): number[] {
  return [...Buffer.from(letters)]
}
