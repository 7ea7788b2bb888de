// SPDX-License-Identifier: Apache-2.0

import { narrowToFloat16 } from './float16.ts'

/*
 * Narrowing float32 to float16 eight values at a time, in a WebAssembly function that is put together here.
 * JavaScript has no vectors, and takes 8 ns a value where this takes less than one. Opcodes: WebAssembly core
 * specification 2.0, section 5.4 (instructions) and 5.5 (modules).
 */

/** Values that are converted at a time. */
const BLOCK = 1 << 18
const PAGE = 1 << 16
const INPUT = 0
const OUTPUT = 4 * BLOCK
const LANES = 8

/**
 * Rounds float32 values to float16, to nearest even.
 * @param bits float32 values as bit patterns
 * @param out receives one float16 bit pattern for each
 * @returns the index of the first value that float16 cannot hold, or -1, as {@link narrowToFloat16}
 */
export type Narrower = (bits: Uint32Array, out: Uint16Array) => number

/** The part of WebAssembly's API that is used here; its types come with those of browsers only. */
interface WebAssemblyApi {
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (module: object) => { readonly exports: unknown }
}

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer }
  /** @returns not 0 when one of the first `count` input values is too large */
  narrow(count: number): number
}

/** A vectorized {@link narrowToFloat16}: the same results, bit for bit. */
export function makeNarrower(): Narrower {
  const { Module, Instance } = (globalThis as unknown as { WebAssembly: WebAssemblyApi }).WebAssembly
  const { memory, narrow } = new Instance(new Module(moduleBytes())).exports as Exports
  const input = new Uint32Array(memory.buffer, INPUT, BLOCK)
  const output = new Uint16Array(memory.buffer, OUTPUT, BLOCK)
  return (bits, out) => {
    for (let start = 0; start < bits.length; start += BLOCK) {
      const block = bits.subarray(start, start + BLOCK)
      input.set(block)
      input.fill(0, block.length, Math.min(BLOCK, block.length + LANES))
      if (narrow(Math.ceil(block.length / LANES) * LANES) !== 0) {
        return start + narrowToFloat16(block, out.subarray(start))
      }
      out.set(output.subarray(0, block.length), start)
    }
    return -1
  }
}

// Value types, sections, instructions.
const [I32, V128] = [0x7f, 0x7b]
const SECTION = { type: 1, function: 3, memory: 5, export: 7, code: 10 } as const
const LOOP = [0x03, 0x40]
const END = 0x0b
const BR_IF = 0x0d
const I32_ADD = 0x6a
const I32_LT_U = 0x49
// Named as in the specification: i32x4.ge_s is I32X4_GE_S.
const simd = (opcode: number) => [0xfd, ...leb(opcode)]
const V128_LOAD = simd(0x00)
const V128_STORE = simd(0x0b)
const V128_CONST = simd(0x0c)
const V128_AND = simd(0x4e)
const V128_OR = simd(0x50)
const V128_BITSELECT = simd(0x52)
const V128_ANY_TRUE = simd(0x53)
const I32X4_GE_S = simd(0x3f)
const I16X8_NARROW_I32X4_U = simd(0x86)
const I32X4_SHR_U = simd(0xad)
const I32X4_ADD = simd(0xae)
const I32X4_SUB = simd(0xb1)
const F32X4_ADD = simd(0xe4)

/** Parameter and locals of the function. */
const LOCAL = { count: 0, at: 1, value: 2, magnitude: 3, low: 4, high: 5, bad: 6 } as const
const get = (local: number) => [0x20, local]
const set = (local: number) => [0x21, local]
const integer = (value: number) => [0x41, ...signedLeb(value)]
/** The same 32 bits in all four lanes. */
const vector = (value: number) => {
  const bytes = [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff)
  return [...V128_CONST, ...bytes, ...bytes, ...bytes, ...bytes]
}
const memoryAt = (offset: number) => [2, ...leb(offset)] // aligned to 4 bytes

/** Four values from `offset` on, as float16 bit patterns in 32-bit lanes, into a local. */
function fourValues(offset: number, into: number): number[] {
  return [
    ...[...get(LOCAL.at), ...integer(4), 0x6c],
    ...[...V128_LOAD, ...memoryAt(INPUT + offset), ...set(LOCAL.value)],
    ...[...get(LOCAL.value), ...vector(0x7fffffff), ...V128_AND, ...set(LOCAL.magnitude)],
    // From 2^-14 up: rebias the exponent by 112, drop 13 mantissa bits, to nearest even.
    ...[...get(LOCAL.magnitude), ...integer(13), ...I32X4_SHR_U, ...vector(1), ...V128_AND],
    ...[...get(LOCAL.magnitude), ...I32X4_ADD, ...vector(0xfff - 0x38000000), ...I32X4_ADD],
    ...[...integer(13), ...I32X4_SHR_U],
    // Below: adding 0.5 leaves units of 2^-24 in the mantissa, rounded by the processor.
    ...[...get(LOCAL.magnitude), ...vector(0x3f000000), ...F32X4_ADD, ...vector(0x3f000000), ...I32X4_SUB],
    ...[...get(LOCAL.magnitude), ...vector(0x38800000), ...I32X4_GE_S, ...V128_BITSELECT],
    ...[...get(LOCAL.value), ...integer(16), ...I32X4_SHR_U, ...vector(0x8000), ...V128_AND],
    ...[...V128_OR, ...set(into)],
    // 65520 and up rounds to infinity.
    ...[...get(LOCAL.magnitude), ...vector(0x477ff000), ...I32X4_GE_S],
    ...[...get(LOCAL.bad), ...V128_OR, ...set(LOCAL.bad)],
  ]
}

function moduleBytes(): Uint8Array<ArrayBuffer> {
  const body = [
    ...[2, 1, I32, 5, V128], // locals beside the parameter
    ...LOOP,
    ...[...fourValues(0, LOCAL.low), ...fourValues(16, LOCAL.high)],
    ...[...get(LOCAL.at), ...integer(2), 0x6c],
    ...[...get(LOCAL.low), ...get(LOCAL.high), ...I16X8_NARROW_I32X4_U],
    ...[...V128_STORE, ...memoryAt(OUTPUT)],
    ...[...get(LOCAL.at), ...integer(LANES), I32_ADD, ...set(LOCAL.at)],
    ...[...get(LOCAL.at), ...get(LOCAL.count), I32_LT_U, BR_IF, 0, END],
    ...[...get(LOCAL.bad), ...V128_ANY_TRUE, END],
  ]
  const name = (text: string) => [text.length, ...Buffer.from(text)]
  const pages = Math.ceil((OUTPUT + 2 * BLOCK) / PAGE)
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(SECTION.type, [1, 0x60, 1, I32, 1, I32]),
    ...section(SECTION.function, [1, 0]),
    ...section(SECTION.memory, [1, 0, ...leb(pages)]),
    ...section(SECTION.export, [2, ...name('memory'), 2, 0, ...name('narrow'), 0, 0]),
    ...section(SECTION.code, [1, ...leb(body.length), ...body]),
  ])
}

function section(id: number, content: readonly number[]): number[] {
  return [id, ...leb(content.length), ...content]
}

function leb(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb(value >>> 7)]
}

/** Small positive constants: a clear bit 6 keeps the sign. */
function signedLeb(value: number): number[] {
  return value < 0x40 ? [value] : [(value & 0x7f) | 0x80, ...signedLeb(value >> 7)]
}
