// SPDX-License-Identifier: Apache-2.0

import { seededRandom } from '../../eval/random.ts'
import { KvCache } from '../../eval/runtime/kv-cache.ts'
import type { KvStore } from '../../eval/runtime/kv-store.ts'
import { Tensor } from '../../eval/runtime/onnxruntime.ts'
import { floats } from '../../eval/runtime/session.ts'

export const SHAPE = { layers: 2, heads: 2, headDim: 3 }
export const NAMES = ['0.key', '0.value', '1.key', '1.value']
const { heads: HEADS, headDim: HEAD } = SHAPE

/** A row as a plain list of positions, each with one number for every array, head and dimension. */
export type Row = number[][]

export const position = (value: number) =>
  Array.from({ length: NAMES.length * HEADS * HEAD }, (_, i) => value + i / 1000)

/** Rows as the graph gives new keys and values: one array for each name, [rows, heads, longest, head_dim]. */
export function arraysOf(rows: readonly Row[], filler = Number.NaN): Tensor[] {
  const longest = Math.max(...rows.map((row) => row.length))
  return NAMES.map((_, name) => {
    const values = new Float32Array(rows.length * HEADS * longest * HEAD).fill(filler)
    let at = 0
    for (const row of rows)
      for (let head = 0; head < HEADS; head++)
        for (let i = 0; i < longest; i++, at += HEAD)
          for (let k = 0; i < row.length && k < HEAD; k++)
            values[at + k] = row[i]?.[(name * HEADS + head) * HEAD + k] as number
    return new Tensor('float32', values, [rows.length, HEADS, longest, HEAD])
  })
}

/**
 * Do to a store and to a list of rows what a decoder does, in any order.
 * @param check is told after every round what the store must hold
 * @returns how many positions there were
 */
export async function playRounds(
  store: KvStore,
  rounds: number,
  check: (rows: readonly Row[]) => Promise<void>,
): Promise<number> {
  const random = seededRandom(3)
  const rows: Row[] = []
  let next = 1
  const makeRow = (length: number): Row => Array.from({ length }, () => position(next++))
  for (let round = 0; round < rounds; round++) {
    const choice = random()
    if (choice < 0.2 && rows.length < 6) {
      const count = 1 + Math.floor(random() * 2)
      const added = Array.from({ length: count }, () => makeRow(1 + Math.floor(random() * 90)))
      const head = makeRow(Math.floor(random() * 3) * 20)
      await add(store, added, head, random() < 0.5)
      rows.push(...added.map((row) => [...head, ...row]))
    } else if (choice < 0.3 && rows.length > 0) {
      const at = Math.floor(random() * rows.length)
      store.removeRow(at)
      rows[at] = rows.at(-1) as Row
      rows.pop()
    } else if (choice < 0.31) {
      store.clear()
      rows.length = 0
    } else if (choice < 0.4 && rows.length > 0) {
      const [added, back] = [1 + Math.floor(random() * 5), Math.floor(random() * 3)]
      await store.reserve(added)
      const draft = makeRow(added)
      await store.append(arraysOf([draft]), rows.length - 1, 1, added)
      const row = rows.at(-1) as Row
      row.push(...draft)
      store.shorten(rows.length - 1, Math.min(back, added))
      row.length -= Math.min(back, added)
    } else if (rows.length > 0) {
      await store.reserve()
      const step = rows.map(() => makeRow(1))
      await store.append(arraysOf(step))
      for (const [i, row] of rows.entries()) row.push(step[i]?.[0] as number[])
    }
    await check(rows)
  }
  return next - 1
}

async function add(store: KvStore, added: readonly Row[], head: Row, inPlace: boolean): Promise<void> {
  const lengths = added.map((row) => row.length)
  const known = { length: head.length, arrays: head.length > 0 ? arraysOf([head]) : [] }
  if (!(store instanceof KvCache && inPlace)) return store.addRows(arraysOf(added), lengths, known)
  const places = store.openRows(lengths, known)
  for (const [i, values] of arraysOf(added).entries()) places[i]?.set(floats(values))
  store.closeRows(lengths, known)
}
