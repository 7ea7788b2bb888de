// SPDX-License-Identifier: Apache-2.0

import type { open } from 'node:fs/promises'
import { narrowToFloat16 } from '../../graph-tools/float16.ts'
import { Failure } from '../shared/failure.ts'
import { ITEM_BYTES, type StoredTensor } from './safetensors.ts'

/* Values of tensors between the types of checkpoints and float32, which holds all of them exactly. */

/** Numbers of items of a tensor. */
export function itemsOf({ shape }: Pick<StoredTensor, 'shape'>): number {
  return shape.reduce((product, size) => product * size, 1)
}

/**
 * A range of a tensor's items, read from an open shard.
 * @throws Failure when the shard has become shorter
 */
export async function readValues(
  file: Awaited<ReturnType<typeof open>>,
  tensor: StoredTensor,
  from = 0,
  count = itemsOf(tensor),
): Promise<Float32Array> {
  const size = ITEM_BYTES.get(tensor.dtype) ?? 0
  const bytes = Buffer.from(new ArrayBuffer(count * size))
  const { bytesRead } = await file.read(bytes, 0, bytes.length, tensor.start + from * size)
  if (bytesRead < bytes.length)
    throw new Failure(`${tensor.file} became shorter while it was read.`, 'Download it again.')
  return decode(tensor.dtype, bytes)
}

/**
 * Values of float32, float16 or bfloat16 as float32.
 * @param bytes little-endian, as this machine is; at the beginning of their buffer
 */
export function decode(dtype: string, { buffer, length }: Buffer): Float32Array {
  if (dtype === 'F32') return new Float32Array(buffer, 0, length / 4)
  const halves = new Uint16Array(buffer, 0, length / 2)
  const values = new Float32Array(halves.length)
  const bits = new Uint32Array(values.buffer)
  if (dtype === 'BF16') for (const [i, half] of halves.entries()) bits[i] = half << 16
  else for (const [i, half] of halves.entries()) values[i] = float16(half)
  return values
}

/** The value of a float16 bit pattern (IEEE 754-2019, section 3.4). */
function float16(half: number): number {
  const sign = half & 0x8000 ? -1 : 1
  const exponent = (half >>> 10) & 0x1f
  const mantissa = half & 0x3ff
  if (exponent === 0) return sign * mantissa * 2 ** -24
  if (exponent === 0x1f) return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15)
}

/**
 * Values rounded to a type, to the nearest and of two to the even one, as PyTorch rounds.
 * @returns undefined when one is not finite there
 */
export function encode(dtype: string, values: Float32Array): Uint8Array | undefined {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
  if (dtype === 'F32') return values.every(Number.isFinite) ? bytesOf(values) : undefined
  const out = new Uint16Array(values.length)
  if (dtype === 'F16') return narrowToFloat16(bits, out) < 0 ? bytesOf(out) : undefined
  return narrowToBfloat16(bits, out) ? bytesOf(out) : undefined
}

const INFINITE = 0x7f80

function narrowToBfloat16(bits: Uint32Array, out: Uint16Array): boolean {
  for (let i = 0; i < bits.length; i++) {
    const value = bits[i] as number
    const rounded = ((value + 0x7fff + ((value >>> 16) & 1)) >>> 16) & 0xffff
    if ((value & 0x7fffffff) >= 0x7f800000 || (rounded & INFINITE) === INFINITE) return false
    out[i] = rounded
  }
  return true
}

function bytesOf(values: Float32Array | Uint16Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
}

/** The values that a type would keep. @returns undefined when one is not finite there */
export function rounded(dtype: string, values: Float32Array): Float32Array | undefined {
  const bytes = encode(dtype, values)
  return bytes && decode(dtype, Buffer.from(Uint8Array.from(bytes).buffer))
}
