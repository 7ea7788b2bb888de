// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from 'vitest'
import { emptyPast, KvCache } from '../../eval/runtime/kv-cache.ts'
import { floats } from '../../eval/runtime/session.ts'
import { SpeechError } from '../../eval/runtime/speech-error.ts'
import { arraysOf, NAMES, playRounds, position, type Row, SHAPE } from '../helpers/kv-rounds.ts'

const HEAD = SHAPE.headDim

/** What the cache feeds must be the rows, with zeros behind them. */
function expectRows(cache: KvCache, rows: readonly Row[]): void {
  expect([...cache.lengths]).toEqual(rows.map((row) => row.length))
  const padded = rows.map((row) => [
    ...row,
    ...Array.from({ length: cache.capacity - row.length }, () => position(0).map(() => 0)),
  ])
  const wanted = rows.length === 0 ? NAMES.map(() => new Float32Array(0)) : arraysOf(padded).map(floats)
  for (const [i, name] of NAMES.entries()) {
    const tensor = cache.feeds[name]
    expect(tensor?.dims).toEqual([rows.length, SHAPE.heads, cache.capacity, HEAD])
    expect(tensor?.data.length).toBe(wanted[i]?.length)
    // not toEqual, which is slow for hundreds of thousands of values
    const found = Array.from(tensor?.data as Float32Array)
    expect(
      found.every((value, k) => value === wanted[i]?.[k]),
      `${name} differs`,
    ).toBe(true)
  }
}

function bufferOf({ feeds }: KvCache, name = '0.key'): ArrayBufferLike {
  const data = feeds[name]?.data
  if (!(data instanceof Float32Array)) throw new Error('no tensor')
  return data.buffer
}

describe('the KV cache', () => {
  it.each([
    ['without room', 0],
    ['with more room than it needs', 1280],
  ])('holds what a list of rows holds, after any additions, steps and removals, %s', async (_, room) => {
    const cache = new KvCache(SHAPE, NAMES, 1, room)
    expect(await playRounds(cache, 150, async (rows) => expectRows(cache, rows))).toBeGreaterThan(500)
  })

  it('has one piece of memory, which it keeps when a minute follows a second', async () => {
    const cache = new KvCache(SHAPE, NAMES)
    const rowOf = (length: number) => Array.from({ length }, (_, i) => position(i))
    await cache.addRows(arraysOf([rowOf(20)]), [20])
    const buffer = bufferOf(cache)
    for (const name of NAMES) expect(bufferOf(cache, name)).toBe(buffer)
    cache.clear()
    await cache.addRows(arraysOf([rowOf(800)]), [800])
    expect(bufferOf(cache)).toBe(buffer)
    expectRows(cache, [rowOf(800)])
    cache.clear()
    await cache.addRows(arraysOf([rowOf(1300)]), [1300])
    expectRows(cache, [rowOf(1300)])
  })

  it('feeds the same tensors, in the same memory, until it grows; then moves in place where there is room', async () => {
    const cache = new KvCache(SHAPE, NAMES, 1, 0)
    const row = Array.from({ length: 60 }, (_, i) => position(i))
    await cache.addRows(arraysOf([row]), [60])
    const { feeds } = cache
    const buffer = bufferOf(cache)
    expect(cache.capacity).toBe(64)
    for (let i = 60; i < 64; i++) {
      await cache.reserve()
      expect(cache.feeds).toBe(feeds)
      await cache.append(arraysOf([[position(i)]]))
    }
    await cache.reserve()
    expect(cache.capacity).toBe(128)
    expect(cache.feeds).not.toBe(feeds)
    const grown = bufferOf(cache)
    cache.clear()
    await cache.addRows(arraysOf([row, row]), [60, 60])
    expect(bufferOf(cache)).toBe(grown)
    expect(buffer.byteLength).toBeGreaterThan(60 * SHAPE.heads * HEAD * 4)
  })

  it('adds a position to the last rows alone', async () => {
    const cache = new KvCache(SHAPE, NAMES)
    const [a, b] = [[position(1)], [position(2), position(3)]]
    await cache.addRows(arraysOf([a]), [1])
    await cache.addRows(arraysOf([b]), [2])
    await cache.append(arraysOf([[position(4)]]), 1)
    expectRows(cache, [a, [...b, position(4)]])
  })

  it('feeds a row that holds nothing beside an odd one, and leaves out what it gives back', async () => {
    const cache = new KvCache(SHAPE, NAMES, 2)
    const row = [position(1), position(2)]
    await cache.addRows(arraysOf([row]), [2])
    expect(cache.feeds['0.key']?.dims).toEqual([2, SHAPE.heads, 64, HEAD])
    await cache.reserve()
    await cache.append(arraysOf([[position(3)], [position(99)]]), 0, 2)
    expect([...cache.lengths]).toEqual([3])
    const part = 64 * HEAD
    const fed = Array.from(cache.feeds['1.value']?.data as Float32Array)
    const wanted = [row[0], row[1], position(3)].map((values) => values?.slice(-HEAD).map(Math.fround))
    expect(fed.slice(part, part + 3 * HEAD)).toEqual(wanted.flat())
    expect(fed.slice(2 * part).every((value) => value === 0)).toBe(true)
    await cache.addRows(arraysOf([[position(4)]]), [1])
    await cache.append(arraysOf([[position(5)]]), 1)
    expect([...cache.lengths]).toEqual([3, 2])
    expect(cache.feeds['0.key']?.dims[0]).toBe(2)
    await cache.addRows(arraysOf([[position(6)]]), [1])
    expect(cache.feeds['0.key']?.dims[0]).toBe(4)
    cache.removeRow(2)
    cache.removeRow(1)
    expect(cache.feeds['0.key']?.dims[0]).toBe(2)
    cache.removeRow(0)
    expect(cache.feeds['0.key']?.dims[0]).toBe(0)
  })

  it('refuses arrays of another size, and rows that are not there', async () => {
    const cache = new KvCache(SHAPE, NAMES)
    await expect(cache.addRows(arraysOf([[position(1)]]), [2])).rejects.toThrow(SpeechError)
    const other = new KvCache(SHAPE, NAMES)
    expect(() => other.shorten(0, 1)).toThrow('Row 0 has 0 positions, of which 1 cannot be taken back.')
    expect(() => other.removeRow(0)).toThrow('There is no row 0 in a batch of 0.')
  })
})

describe('the past of prompts', () => {
  it('is one position of zeros in every row, which past_lengths 0 leaves out', () => {
    const past = emptyPast(NAMES, 3, SHAPE)
    expect(Object.keys(past)).toEqual(NAMES)
    for (const tensor of Object.values(past)) {
      expect(tensor.dims).toEqual([3, SHAPE.heads, 1, HEAD])
      expect([...(tensor.data as Float32Array)]).toEqual(Array(3 * SHAPE.heads * HEAD).fill(0))
    }
  })
})
