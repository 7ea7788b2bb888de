// SPDX-License-Identifier: Apache-2.0

import type { DeviceMoves } from './device-moves.ts'
import { type CacheShape, capacityFor, type KvStore, NO_HEAD, type RowHead, roundUp } from './kv-store.ts'
import type { Tensor } from './onnxruntime.ts'
import { SpeechError } from './speech-error.ts'

/**
 * Keys and values in the memory of the device that the graph runs on: a step takes there what the graph has computed there.
 * Rows that are taken out stay until the next step or prompt, which moves all that is to move at once.
 */
export class DeviceKvCache implements KvStore {
  readonly #names: readonly string[]
  readonly #shape: CacheShape
  readonly #moves: DeviceMoves
  readonly #rowStep: number
  /** key and value of layer 0, of layer 1, ...: [stored, heads, capacity, head_dim] */
  #arrays: readonly Tensor[] = []
  #stored = 0
  #capacity = 0
  /** of each sequence: its row in the arrays, and how many positions it has */
  #rows: number[] = []
  #lengths: number[] = []
  #feeds: Record<string, Tensor> = {}

  /**
   * @param names of the graph's past inputs, in the order of the arrays that are added
   * @param moves are the cache's from now on
   * @param rowStep rows are fed in multiples of it: those that hold no sequence come last, and hold anything
   */
  constructor(shape: CacheShape, names: readonly string[], moves: DeviceMoves, rowStep = 1) {
    this.#shape = shape
    this.#names = names
    this.#moves = moves
    this.#rowStep = rowStep
  }

  get rows(): number {
    return this.#rows.length
  }

  get capacity(): number {
    return this.#capacity
  }

  get lengths(): readonly number[] {
    return this.#lengths
  }

  get feeds(): Readonly<Record<string, Tensor>> {
    return this.#feeds
  }

  async addRows(arrays: readonly Tensor[], lengths: readonly number[], head = NO_HEAD): Promise<void> {
    try {
      this.#check(arrays, lengths.length, Math.max(...lengths))
      await this.#addRows(arrays, lengths, head)
    } finally {
      disposeAll(arrays)
    }
  }

  async #addRows(arrays: readonly Tensor[], lengths: readonly number[], head: RowHead): Promise<void> {
    const [first, longest] = [this.rows, Math.max(...lengths)]
    const positions = Math.max(head.length + longest, ...this.#lengths) + 1
    await this.#arrange(first + lengths.length, positions, this.#stored > 0 ? this.#arrays : arrays)
    for (let row = 0; head.length > 0 && row < lengths.length; row++)
      await this.#moves.scatter(this.#arrays, head.arrays, (_, at) => [first + row, at])
    const isEven = lengths.every((length) => length === longest)
    // behind a shorter row there may be anything: its last position instead
    const values = isEven
      ? arrays
      : await this.#moves.gather(arrays, lengths.length, longest, (row, at) => [
          row,
          Math.min(at, (lengths[row] as number) - 1),
        ])
    try {
      await this.#moves.scatter(this.#arrays, values, (row, at) => [first + row, head.length + at])
    } finally {
      if (!isEven) disposeAll(values)
    }
    for (const [i, length] of lengths.entries()) {
      this.#rows.push(first + i)
      this.#lengths.push(head.length + length)
    }
  }

  async append(
    arrays: readonly Tensor[],
    first = 0,
    given = this.rows - first,
    positions = 1,
  ): Promise<void> {
    try {
      this.#check(arrays, given, positions)
      // rows that hold nothing begin at 0
      const place = (row: number, at: number) =>
        [first + row, (this.#lengths[first + row] ?? 0) + at] as const
      await this.#moves.scatter(this.#arrays, arrays, place)
    } finally {
      disposeAll(arrays)
    }
    for (let row = first; row < this.rows; row++) (this.#lengths[row] as number) += positions
  }

  async reserve(positions = 1): Promise<void> {
    await this.#arrange(this.rows, Math.max(...this.#lengths) + positions)
  }

  shorten(row: number, positions: number): void {
    const length = this.#lengths[row] ?? 0
    if (!(positions >= 0 && positions <= length))
      throw new RangeError(`Row ${row} has ${length} positions, of which ${positions} cannot be taken back.`)
    this.#lengths[row] = length - positions
  }

  removeRow(row: number): void {
    const last = this.rows - 1
    if (!(row >= 0 && row <= last)) throw new RangeError(`There is no row ${row} in a batch of ${this.rows}.`)
    for (const list of [this.#rows, this.#lengths]) {
      list[row] = list[last] as number
      list.pop()
    }
    if (this.rows === 0) this.clear()
  }

  clear(): void {
    disposeAll(this.#arrays)
    this.#arrays = []
    this.#feeds = {}
    this.#rows = []
    this.#lengths = []
    this.#stored = 0
    this.#capacity = 0
  }

  async release(): Promise<void> {
    this.clear()
    await this.#moves.release()
  }

  /**
   * Lay the arrays out for `rows` rows of `positions` positions, with those of the sequences in their order.
   * @param from where there is no sequence, arrays of any size on any device: new rows hold what is finite
   */
  async #arrange(rows: number, positions: number, from = this.#arrays): Promise<void> {
    const stored = roundUp(rows, this.#rowStep)
    const capacity = capacityFor(positions, this.#capacity)
    const isInOrder = this.#rows.every((place, row) => place === row)
    if (isInOrder && stored === this.#stored && capacity === this.#capacity) return
    const last = (from[0]?.dims[2] ?? 1) - 1
    const arrays = await this.#moves.gather(from, stored, capacity, (row, at) => {
      const place = this.#rows[row]
      return place === undefined ? [0, 0] : [place, Math.min(at, last)]
    })
    disposeAll(this.#arrays)
    this.#arrays = arrays
    this.#stored = stored
    this.#capacity = capacity
    this.#rows = this.#rows.map((_, row) => row)
    this.#feeds = Object.fromEntries(this.#names.map((name, i) => [name, arrays[i] as Tensor]))
  }

  #check(arrays: readonly Tensor[], rows: number, positions: number): void {
    const wanted = [rows, this.#shape.heads, positions, this.#shape.headDim].join(', ')
    const other = this.#names.findIndex((_, i) => arrays[i]?.dims.join(', ') !== wanted)
    if (other < 0) return
    throw new SpeechError(
      `The decoder gave new keys or values of [${arrays[other]?.dims.join(', ')}], wanted [${wanted}].`,
      'config.json and the graphs are of different models.',
    )
  }
}

function disposeAll(tensors: readonly Tensor[]): void {
  for (const tensor of tensors) tensor.dispose()
}
