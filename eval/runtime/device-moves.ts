// SPDX-License-Identifier: Apache-2.0

import { type GraphNode, type GraphValue, writeGraph } from './graph-writer.ts'
import type { CacheShape } from './kv-store.ts'
import { type InferenceSession, Tensor } from './onnxruntime.ts'
import { openGraph, output, type SessionOptions } from './session.ts'
import { SpeechError } from './speech-error.ts'

/* Moving keys and values on a device, without copies to the program's memory. */

/** Which row and position of one array belongs to a row and position of the other. */
export type PlaceOf = (row: number, position: number) => readonly [row: number, position: number]

/** Moves keys and values within a device's memory: one small graph for all arrays, [rows, heads, positions, head_dim] each. */
export interface DeviceMoves {
  /**
   * @param place where the new arrays' positions are in the old ones
   * @returns arrays of the device of `rows` rows and `positions` positions
   */
  gather(from: readonly Tensor[], rows: number, positions: number, place: PlaceOf): Promise<readonly Tensor[]>
  /**
   * Write positions into arrays of the device, in place.
   * @param place where each position of `values` goes; no two to the same
   */
  scatter(arrays: readonly Tensor[], values: readonly Tensor[], place: PlaceOf): Promise<void>
  release(): Promise<void>
}

/** Where the runtime keeps tensors that stay on the device. */
export const ON_DEVICE = 'gpu-buffer'
const NO_FOLDER = ''

/**
 * Make the graphs that move keys and values, and open sessions of them.
 * @param arrays how many there are
 * @throws SpeechError when the provider refuses the graphs
 */
export async function openDeviceMoves(
  arrays: number,
  shape: CacheShape,
  options: SessionOptions,
): Promise<DeviceMoves> {
  const all = Array.from({ length: arrays }, (_, i) => i)
  const open = (bytes: Uint8Array, extra?: InferenceSession.SessionOptions) =>
    orOtherProvider(options, () =>
      openGraph('the graph that moves keys and values', { bytes, folder: NO_FOLDER }, options, extra),
    )
  const gathers = await open(gatherGraph(all, shape), { preferredOutputLocation: ON_DEVICE })
  const scatters = await open(scatterGraph(all, shape))
  const { heads } = shape
  return {
    gather: (from, rows, positions, place) =>
      orOtherProvider(options, async () => {
        const places = placesOf(rows, heads, positions, place)
        const results = await gathers.run({ ...named('data', from), places })
        const made = all.map((i) => output(results, `out.${i}`))
        const other = made.find(({ location }) => location !== ON_DEVICE)
        if (other) throw new Error(`The runtime returned them as ${other.location}, wanted ${ON_DEVICE}.`)
        return made
      }),
    scatter: (into, values, place) =>
      orOtherProvider(options, async () => {
        const [rows = 0, , positions = 0] = values[0]?.dims ?? []
        const places = placesOf(rows, heads, positions, place)
        const feeds = { ...named('data', into), ...named('values', values), places }
        // outputs in the inputs' own memory, so that what does not change is not copied
        const results = await scatters.run(feeds, named('out', into))
        // the runtime may have made other tensors of the same memory
        for (const i of all) if (results[`out.${i}`] !== into[i]) output(results, `out.${i}`).dispose()
      }),
    async release() {
      await gathers.release()
      await scatters.release()
    },
  }
}

function gatherGraph(all: readonly number[], { heads, headDim }: CacheShape): Uint8Array {
  const nodes: GraphNode[] = all.map((i) => ({
    ...{ operator: 'GatherND', inputs: [`data.${i}`, 'places'], output: `out.${i}` },
  }))
  return writeGraph(
    nodes,
    [
      { name: 'places', type: 'int64', dims: ['rows', heads, 'positions', 3] },
      ...floatsOf('data', all, ['old_rows', heads, 'old_positions', headDim]),
    ],
    floatsOf('out', all, ['rows', heads, 'positions', headDim]),
  )
}

function scatterGraph(all: readonly number[], { heads, headDim }: CacheShape): Uint8Array {
  const nodes: GraphNode[] = all.map((i) => ({
    ...{ operator: 'ScatterND', inputs: [`data.${i}`, 'places', `values.${i}`], output: `out.${i}` },
  }))
  const dims = ['rows', heads, 'positions', headDim]
  return writeGraph(
    nodes,
    [
      { name: 'places', type: 'int64', dims: ['new_rows', heads, 'new_positions', 3] },
      ...floatsOf('data', all, dims),
      ...floatsOf('values', all, ['new_rows', heads, 'new_positions', headDim]),
    ],
    floatsOf('out', all, dims),
  )
}

function floatsOf(prefix: string, all: readonly number[], dims: GraphValue['dims']): GraphValue[] {
  return all.map((i) => ({ name: `${prefix}.${i}`, type: 'float32', dims }))
}

function named(prefix: string, tensors: readonly Tensor[]): Record<string, Tensor> {
  return Object.fromEntries(tensors.map((tensor, i) => [`${prefix}.${i}`, tensor]))
}

/** Row, head and position in the other array, [rows, heads, positions, 3]. */
function placesOf(rows: number, heads: number, positions: number, place: PlaceOf): Tensor {
  const values = new BigInt64Array(rows * heads * positions * 3)
  // the lower halves: making a few hundred thousand BigInts takes long
  const low = new Int32Array(values.buffer)
  for (let row = 0, at = 0; row < rows; row++) {
    for (let head = 0; head < heads; head++) {
      for (let position = 0; position < positions; position++, at += 6) {
        const [otherRow, otherPosition] = place(row, position)
        low[at] = otherRow
        low[at + 2] = head
        low[at + 4] = otherPosition
      }
    }
  }
  return new Tensor('int64', values, [rows, heads, positions, 3])
}

/** @throws SpeechError that names the provider when `work` fails */
async function orOtherProvider<T>({ provider }: SessionOptions, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const hint = error instanceof SpeechError ? `${error.hint} `.trimStart() : ''
    throw new SpeechError(
      `Keys and values cannot be kept on the device with ${provider}: ${(error as Error).message}`,
      `${hint}Choose another provider, such as cpu.`,
    )
  }
}
