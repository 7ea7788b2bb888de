// SPDX-License-Identifier: Apache-2.0

import { type CacheShape, capacityFor, type KvStore, NO_HEAD, type RowHead, roundUp } from './kv-store.ts'
import { Tensor } from './onnxruntime.ts'
import { floats } from './session.ts'
import { SpeechError } from './speech-error.ts'

/**
 * Storage is larger than what it is for, so that it seldom moves: what it has moved from stays in memory until it is
 * collected. The system gives memory when it is written to.
 */
const GROWTH = 1.5
/** Positions of a row, for a minute of speech and its text. */
const ROOM = 1280

/** Positions of {@link emptyPast}. */
export const EMPTY_PAST = 1

/**
 * The past of prompts: one position [rows, heads, 1, head_dim] of zeros, which `past_lengths` 0 leaves out. A capacity of
 * 0 would do on the CPU, but WebGPU has no empty tensors.
 * @param names of the graph's past inputs
 */
export function emptyPast(
  names: readonly string[],
  rows: number,
  { heads, headDim }: Pick<CacheShape, 'heads' | 'headDim'>,
): Record<string, Tensor> {
  const zeros = new Tensor('float32', new Float32Array(rows * heads * headDim), [
    rows,
    heads,
    EMPTY_PAST,
    headDim,
  ])
  return Object.fromEntries(names.map((name) => [name, zeros]))
}

/**
 * Keys and values in the memory of the program, with zeros behind each row's positions. Memory is allocated when the
 * largest size so far is exceeded, and kept.
 */
export class KvCache implements KvStore {
  readonly #shape: CacheShape
  readonly #rowStep: number
  readonly #room: number
  /** key and value of layer 0, of layer 1, ...: of one size, from rows * heads * capacity * head_dim on */
  #storage: readonly Float32Array[]
  readonly #names: readonly string[]
  #capacity = 0
  #lengths: number[] = []
  #feeds: Record<string, Tensor> | undefined

  /**
   * @param names of the graph's past inputs, in the order of the arrays that are added
   * @param rowStep rows are fed in multiples of it: those that hold no sequence come last, and hold anything
   * @param room positions that memory is allocated for at first, if no more are needed
   */
  constructor(shape: CacheShape, names: readonly string[], rowStep = 1, room = ROOM) {
    this.#shape = shape
    this.#rowStep = rowStep
    this.#room = room
    this.#names = names
    this.#storage = names.map(() => new Float32Array(0))
  }

  get rows(): number {
    return this.#lengths.length
  }

  get capacity(): number {
    return this.#capacity
  }

  get lengths(): readonly number[] {
    return this.#lengths
  }

  get feeds(): Readonly<Record<string, Tensor>> {
    this.#feeds ??= this.#makeFeeds(0, roundUp(this.rows, this.#rowStep))
    return this.#feeds
  }

  /** As {@link feeds}, of the rows from `first` on alone. */
  feedsFrom(first: number): Record<string, Tensor> {
    return this.#makeFeeds(first, this.rows - first)
  }

  async addRows(arrays: readonly Tensor[], lengths: readonly number[], head = NO_HEAD): Promise<void> {
    const first = this.rows
    const longest = Math.max(...lengths)
    const { heads, headDim } = this.#shape
    const sources = this.#checked(arrays, lengths.length * heads * longest * headDim)
    this.#resize(first + lengths.length, Math.max(head.length + longest, ...this.#lengths) + 1)
    const [from, to, behind] = [longest * headDim, this.#capacity * headDim, head.length * headDim]
    for (const [i, source] of sources.entries()) {
      const storage = this.#storage[i] as Float32Array
      for (let part = 0; part < lengths.length * heads; part++) {
        const used = (lengths[Math.floor(part / heads)] as number) * headDim
        const start = (first * heads + part) * to
        storage.set(source.subarray(part * from, part * from + used), start + behind)
        storage.fill(0, start + behind + used, start + to)
      }
    }
    this.#addHead(head, lengths)
  }

  /**
   * Memory for new rows whose keys and values are written as {@link addRows} takes them: where they are to be, so that
   * they are not in memory twice. {@link closeRows} adds them.
   * @param lengths of the new rows
   * @param head as for {@link addRows}
   * @returns in the order of the names, each [rows, heads, longest, head_dim]
   */
  openRows(lengths: readonly number[], head = NO_HEAD): readonly Float32Array[] {
    const [first, longest] = [this.rows, Math.max(...lengths)]
    const { heads, headDim } = this.#shape
    this.#resize(first + lengths.length, Math.max(head.length + longest, ...this.#lengths) + 1)
    const start = first * heads * this.#capacity * headDim
    const end = start + lengths.length * heads * longest * headDim
    return this.#storage.map((storage) => storage.subarray(start, end))
  }

  /** Add the rows that have been written. @param lengths and head as they were opened */
  closeRows(lengths: readonly number[], head = NO_HEAD): void {
    const [first, longest] = [this.rows, Math.max(...lengths)]
    const { heads, headDim } = this.#shape
    const [from, to, behind] = [longest * headDim, this.#capacity * headDim, head.length * headDim]
    const start = first * heads * to
    for (const storage of this.#storage) {
      // from the last one on, as each moves to behind its place
      for (let part = lengths.length * heads - 1; part >= 0; part--) {
        const used = (lengths[Math.floor(part / heads)] as number) * headDim
        storage.copyWithin(start + part * to + behind, start + part * from, start + part * from + used)
        storage.fill(0, start + part * to + behind + used, start + (part + 1) * to)
      }
    }
    this.#addHead(head, lengths)
  }

  /** Write the head in front of the new rows, and count them. @param lengths behind it */
  #addHead(head: RowHead, lengths: readonly number[]): void {
    const { heads, headDim } = this.#shape
    const [size, to] = [head.length * headDim, this.#capacity * headDim]
    for (const [i, array] of head.arrays.entries()) {
      const values = floats(array)
      const storage = this.#storage[i] as Float32Array
      for (let part = 0; part < lengths.length * heads; part++) {
        const at = (part % heads) * size
        storage.set(values.subarray(at, at + size), (this.rows * heads + part) * to)
      }
    }
    this.#lengths.push(...lengths.map((length) => head.length + length))
    this.#feeds = undefined
  }

  async append(
    arrays: readonly Tensor[],
    first = 0,
    given = this.rows - first,
    positions = 1,
  ): Promise<void> {
    const { heads, headDim } = this.#shape
    const [stride, size] = [this.#capacity * headDim, positions * headDim]
    const sources = this.#checked(arrays, given * heads * size)
    for (let i = 0; i < this.#storage.length; i++) {
      const [storage, source] = [this.#storage[i] as Float32Array, sources[i] as Float32Array]
      for (let row = first, from = 0; row < this.rows; row++) {
        const at = (this.#lengths[row] as number) * headDim
        for (let head = 0; head < heads; head++, from += size) {
          const start = (row * heads + head) * stride + at
          // a plain loop: subarray and set make an object for each of a few hundred short copies
          for (let k = 0; k < size; k++) storage[start + k] = source[from + k] as number
        }
      }
    }
    for (let row = first; row < this.rows; row++) (this.#lengths[row] as number) += positions
  }

  async reserve(positions = 1): Promise<void> {
    this.#resize(this.rows, Math.max(...this.#lengths) + positions)
  }

  shorten(row: number, positions: number): void {
    const length = this.#lengths[row] ?? 0
    if (!(positions >= 0 && positions <= length))
      throw new RangeError(`Row ${row} has ${length} positions, of which ${positions} cannot be taken back.`)
    const { heads, headDim } = this.#shape
    const [from, to] = [(length - positions) * headDim, length * headDim]
    for (const storage of this.#storage) {
      for (let head = row * heads; head < (row + 1) * heads; head++) {
        const start = head * this.#capacity * headDim
        storage.fill(0, start + from, start + to)
      }
    }
    this.#lengths[row] = length - positions
  }

  removeRow(row: number): void {
    const last = this.rows - 1
    if (!(row >= 0 && row <= last)) throw new RangeError(`There is no row ${row} in a batch of ${this.rows}.`)
    const size = this.#shape.heads * this.#capacity * this.#shape.headDim
    for (const storage of this.#storage) storage.copyWithin(row * size, last * size, (last + 1) * size)
    this.#lengths[row] = this.#lengths[last] as number
    this.#lengths.pop()
    this.#feeds = undefined
    if (this.rows === 0) this.#capacity = 0
  }

  clear(): void {
    this.#lengths = []
    this.#capacity = 0
    this.#feeds = undefined
  }

  async release(): Promise<void> {
    this.clear()
  }

  #makeFeeds(first: number, rows: number): Record<string, Tensor> {
    const { heads, headDim } = this.#shape
    const dims = [rows, heads, this.#capacity, headDim]
    const size = heads * this.#capacity * headDim
    const feeds: Record<string, Tensor> = {}
    for (const [i, name] of this.#names.entries()) {
      const values = (this.#storage[i] as Float32Array).subarray(first * size, (first + rows) * size)
      feeds[name] = new Tensor('float32', values, dims)
    }
    return feeds
  }

  /** Room for `rows` rows of `positions` positions. */
  #resize(rows: number, positions: number): void {
    const capacity = capacityFor(positions, this.#capacity)
    if (capacity === this.#capacity && rows === this.rows) return
    const count = roundUp(rows, this.#rowStep) * this.#shape.heads * capacity * this.#shape.headDim
    // allocated before anything moves: if that fails, the cache is unchanged
    const storage = this.#storageOf(count)
    if (storage !== this.#storage || capacity !== this.#capacity)
      for (const [i, to] of storage.entries()) this.#move(this.#storage[i] as Float32Array, to, capacity)
    this.#storage = storage
    this.#capacity = capacity
    this.#feeds = undefined
  }

  /**
   * Arrays of at least `count` values, in one allocation. Memory of a large one is resident only where it is written to;
   * small ones may reuse memory, which is filled with zeros and so resident.
   */
  #storageOf(count: number): readonly Float32Array[] {
    const [{ length: known } = { length: 0 }] = this.#storage
    if (count <= known) return this.#storage
    const { heads, headDim } = this.#shape
    const size = Math.max(Math.ceil(GROWTH * count), heads * this.#room * headDim)
    const memory = new Float32Array(this.#names.length * size)
    return this.#names.map((_, i) => memory.subarray(i * size, (i + 1) * size))
  }

  /** Lay the rows out again for another capacity, in place in the order in which none is overwritten before it has moved. */
  #move(from: Float32Array, to: Float32Array, capacity: number): void {
    const { heads, headDim } = this.#shape
    const [before, after] = [this.#capacity * headDim, capacity * headDim]
    const parts = this.rows * heads
    for (let i = 0; i < parts; i++) {
      const part = after > before ? parts - 1 - i : i
      const used = (this.#lengths[Math.floor(part / heads)] as number) * headDim
      if (from === to) to.copyWithin(part * after, part * before, part * before + used)
      else to.set(from.subarray(part * before, part * before + used), part * after)
      to.fill(0, part * after + used, (part + 1) * after)
    }
  }

  #checked(arrays: readonly Tensor[], length: number): readonly Float32Array[] {
    const values = arrays.map(floats)
    const other = this.#storage.findIndex((_, i) => values[i]?.length !== length)
    if (other < 0) return values
    throw new SpeechError(
      `The decoder gave ${values[other]?.length ?? 0} values of new keys or values, wanted ${length}.`,
      'config.json and the graphs are of different models.',
    )
  }
}
