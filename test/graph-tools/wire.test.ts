// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from 'vitest'
import { Bytes } from '../../graph-tools/bytes.ts'
import { GraphError } from '../../graph-tools/graph-error.ts'
import { encodeVarint, fields, readLength, readVarint } from '../../graph-tools/wire.ts'

const bytes = (...values: number[]) => Bytes.of(Uint8Array.from(values))

describe('varints', () => {
  it.each([0, 1, 127, 128, 300, 2 ** 28 - 1, 2 ** 28, 2 ** 32, 2 ** 35, Number.MAX_SAFE_INTEGER])(
    'reads back %d',
    (value) => {
      const encoded = Bytes.of(encodeVarint(value))
      expect(readLength(encoded, 0, encoded.length)).toEqual([value, encoded.length])
    },
  )

  it('reads all 64 bits of a negative int64', () => {
    const minusOne = bytes(...new Array(9).fill(0xff), 1)
    expect(readVarint(minusOne, 0, 10)).toEqual([2n ** 64n - 1n, 10])
  })

  it('refuses more than 10 bytes, a cut one, and an impossible length', () => {
    expect(() => readVarint(bytes(...new Array(11).fill(0x80)), 0, 11)).toThrow('has more than 10 bytes')
    expect(() => readVarint(bytes(0x80, 0x80), 0, 2)).toThrow('runs past byte 2')
    expect(() => readLength(bytes(...new Array(9).fill(0xff), 1), 0, 10)).toThrow('not a possible length')
  })
})

describe('fields', () => {
  it('skips every wire type, groups too', () => {
    const message = bytes(
      ...[0x08, 0x96, 0x01], // 1: varint 150
      ...[0x11, 0, 0, 0, 0, 0, 0, 0, 0], // 2: fixed64
      ...[0x1a, 0x02, 0x61, 0x62], // 3: "ab"
      ...[0x23, 0x08, 0x01, 0x2b, 0x2c, 0x24], // 4: group { 1: varint, 5: group {} }
      ...[0x35, 0, 0, 0, 0], // 6: fixed32
    )
    const found = [...fields(message, 0, message.length)]
    expect(found.map(({ number }) => number)).toEqual([1, 2, 3, 4, 6])
    expect(found[2]).toMatchObject({ start: 14, end: 16, lengthStart: 13 })
  })

  it.each([
    ['a length past the end', bytes(0x1a, 0x05, 0x61)],
    ['a fixed64 past the end', bytes(0x11, 0, 0)],
    ['an open group', bytes(0x23, 0x08, 0x01)],
    ['a group closed by another number', bytes(0x23, 0x2c)],
    ['field number 0', bytes(0x00, 0x01)],
    ['wire type 7', bytes(0x0f, 0x01)],
    ['groups without end', bytes(...new Array(200).fill(0x23))],
  ])('refuses %s', (_what, message) => {
    expect(() => [...fields(message, 0, message.length)]).toThrow(GraphError)
  })
})
