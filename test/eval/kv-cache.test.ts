import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../eval/random.ts'
import { emptyPast, KvCache } from '../../eval/runtime/kv-cache.ts'
import { SpeechError } from '../../eval/runtime/speech-error.ts'

const SHAPE = { layers: 2, heads: 2, headDim: 3 }
const NAMES = ['0.key', '0.value', '1.key', '1.value']
const HEAD = SHAPE.headDim

/** A row as a plain list of positions, each with one number for every array, head and dimension. */
type Row = number[][]

const position = (value: number) =>
  Array.from({ length: NAMES.length * SHAPE.heads * HEAD }, (_, i) => value + i / 1000)

/** Rows as the graph gives new keys and values: one array for each name, [rows, heads, longest, head_dim]. */
function arraysOf(rows: readonly Row[], filler = Number.NaN): Float32Array[] {
  const longest = Math.max(...rows.map((row) => row.length))
  return NAMES.map((_, name) =>
    Float32Array.from(
      rows.flatMap((row) =>
        Array.from({ length: SHAPE.heads }, (_, head) =>
          Array.from({ length: longest }, (_, at) =>
            Array.from(
              { length: HEAD },
              (_, k) => row[at]?.[(name * SHAPE.heads + head) * HEAD + k] ?? filler,
            ),
          ),
        ).flat(2),
      ),
    ),
  )
}

/** What the cache feeds must be the rows, with zeros behind them. */
function expectRows(cache: KvCache, rows: readonly Row[]): void {
  expect([...cache.lengths]).toEqual(rows.map((row) => row.length))
  const padded = rows.map((row) => [
    ...row,
    ...Array.from({ length: cache.capacity - row.length }, () => position(0).map(() => 0)),
  ])
  const wanted = rows.length === 0 ? NAMES.map(() => new Float32Array(0)) : arraysOf(padded)
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

function bufferOf({ feeds }: KvCache): ArrayBufferLike {
  const data = feeds['0.key']?.data
  if (!(data instanceof Float32Array)) throw new Error('no tensor')
  return data.buffer
}

describe('the KV cache', () => {
  it('holds what a list of rows holds, after any sequence of additions, steps and removals', () => {
    const random = seededRandom(3)
    const cache = new KvCache(SHAPE, NAMES)
    const rows: Row[] = []
    let next = 1
    const makeRow = (length: number): Row => Array.from({ length }, () => position(next++))
    for (let round = 0; round < 150; round++) {
      const choice = random()
      if (choice < 0.2 && rows.length < 6) {
        const added = Array.from({ length: 1 + Math.floor(random() * 2) }, () =>
          makeRow(1 + Math.floor(random() * 90)),
        )
        const head = makeRow(Math.floor(random() * 3) * 20)
        const lengths = added.map((row) => row.length)
        const known = { length: head.length, arrays: head.length > 0 ? arraysOf([head]) : [] }
        if (random() < 0.5) cache.addRows(arraysOf(added), lengths, known)
        else {
          const places = cache.openRows(lengths, known)
          for (const [i, values] of arraysOf(added).entries()) places[i]?.set(values)
          cache.closeRows(lengths, known)
        }
        rows.push(...added.map((row) => [...head, ...row]))
      } else if (choice < 0.3 && rows.length > 0) {
        const at = Math.floor(random() * rows.length)
        cache.removeRow(at)
        rows[at] = rows.at(-1) as Row
        rows.pop()
      } else if (choice < 0.31) {
        cache.clear()
        rows.length = 0
      } else if (choice < 0.4 && rows.length > 0) {
        const [added, back] = [1 + Math.floor(random() * 5), Math.floor(random() * 3)]
        cache.reserve(added)
        const draft = makeRow(added)
        cache.append(arraysOf([draft]), rows.length - 1, 1, added)
        const row = rows.at(-1) as Row
        row.push(...draft)
        cache.shorten(rows.length - 1, Math.min(back, added))
        row.length -= Math.min(back, added)
      } else if (rows.length > 0) {
        cache.reserve()
        const step = rows.map(() => makeRow(1))
        cache.append(arraysOf(step))
        for (const [i, row] of rows.entries()) row.push(step[i]?.[0] as number[])
      }
      expectRows(cache, rows)
    }
    expect(next).toBeGreaterThan(500)
  })

  it('feeds the same tensors, in the same memory, until it grows; then moves in place where there is room', () => {
    const cache = new KvCache(SHAPE, NAMES)
    const row = Array.from({ length: 60 }, (_, i) => position(i))
    cache.addRows(arraysOf([row]), [60])
    const { feeds } = cache
    const buffer = bufferOf(cache)
    expect(cache.capacity).toBe(64)
    for (let i = 60; i < 64; i++) {
      cache.reserve()
      expect(cache.feeds).toBe(feeds)
      cache.append(arraysOf([[position(i)]]))
    }
    cache.reserve()
    expect(cache.capacity).toBe(128)
    expect(cache.feeds).not.toBe(feeds)
    const grown = bufferOf(cache)
    cache.clear()
    cache.addRows(arraysOf([row, row]), [60, 60])
    expect(bufferOf(cache)).toBe(grown)
    expect(buffer.byteLength).toBeGreaterThan(60 * SHAPE.heads * HEAD * 4)
  })

  it('adds a position to the last rows alone', () => {
    const cache = new KvCache(SHAPE, NAMES)
    const [a, b] = [[position(1)], [position(2), position(3)]]
    cache.addRows(arraysOf([a]), [1])
    cache.addRows(arraysOf([b]), [2])
    cache.append(arraysOf([[position(4)]]), 1)
    expectRows(cache, [a, [...b, position(4)]])
  })

  it('feeds a row that holds nothing beside an odd one, and leaves out what it gives back', () => {
    const cache = new KvCache(SHAPE, NAMES, 2)
    const row = [position(1), position(2)]
    cache.addRows(arraysOf([row]), [2])
    expect(cache.feeds['0.key']?.dims).toEqual([2, SHAPE.heads, 64, HEAD])
    cache.reserve()
    cache.append(arraysOf([[position(3)], [position(99)]]), 0, 2)
    expect([...cache.lengths]).toEqual([3])
    const part = 64 * HEAD
    const fed = Array.from(cache.feeds['1.value']?.data as Float32Array)
    const wanted = [row[0], row[1], position(3)].map((values) => values?.slice(-HEAD).map(Math.fround))
    expect(fed.slice(part, part + 3 * HEAD)).toEqual(wanted.flat())
    expect(fed.slice(2 * part).every((value) => value === 0)).toBe(true)
    cache.addRows(arraysOf([[position(4)]]), [1])
    cache.append(arraysOf([[position(5)]]), 1)
    expect([...cache.lengths]).toEqual([3, 2])
    expect(cache.feeds['0.key']?.dims[0]).toBe(2)
    cache.addRows(arraysOf([[position(6)]]), [1])
    expect(cache.feeds['0.key']?.dims[0]).toBe(4)
    cache.removeRow(2)
    cache.removeRow(1)
    expect(cache.feeds['0.key']?.dims[0]).toBe(2)
    cache.removeRow(0)
    expect(cache.feeds['0.key']?.dims[0]).toBe(0)
  })

  it('refuses arrays of another size, and rows that are not there', () => {
    const cache = new KvCache(SHAPE, NAMES)
    expect(() => cache.addRows(arraysOf([[position(1)]]), [2])).toThrow(SpeechError)
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
