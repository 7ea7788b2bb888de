// SPDX-License-Identifier: Apache-2.0

import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { renameOver } from '../../graph-tools/rename-over.ts'
import { Failure } from '../shared/failure.ts'
import { MERGE_WITH_PEFT } from './adapter-config.ts'
import type { MergedTensor } from './adapter-plan.ts'
import { ADAPTER_WEIGHTS } from './adapter-tensors.ts'
import { fileOf } from './checkpoint-files.ts'
import { loadChange } from './merge-rows.ts'
import type { StoredTensor } from './safetensors.ts'
import { encode, itemsOf, readValues } from './weight-values.ts'

/** Values that are in memory at a time, of a weight that is merged. */
const BLOCK = 1 << 20

type File = Awaited<ReturnType<typeof open>>

/** What is merged, and where the result goes; progress is in bytes of that file. */
export interface MergeOptions {
  /** folder of the base */
  readonly base: string
  /** folder of the adapter */
  readonly adapter: string
  readonly tensors: readonly MergedTensor[]
  /** the file to write */
  readonly file: string
  readonly signal: AbortSignal
  readonly onProgress: (done: number, total: number) => void
}

/** Where tensors lie in a safetensors file that holds them one behind the other. */
export interface MergedLayout {
  /** its first bytes: the header with its length */
  readonly head: Buffer
  readonly places: ReadonlyMap<string, StoredTensor>
  readonly bytes: number
}

const ALIGNMENT = 8

/**
 * The layout of the merged tensors' file, known before it is written.
 * @param file its path, by which the places name it
 */
export function layoutOf(tensors: readonly MergedTensor[], file: string): MergedLayout {
  let end = 0
  const entries = tensors.map(({ name, base: { dtype, shape, start, end: stop } }) => {
    const from = end
    end += stop - start
    return { name, dtype, shape, data_offsets: [from, end] as const }
  })
  const json = JSON.stringify(Object.fromEntries(entries.map(({ name, ...entry }) => [name, entry])))
  const text = Buffer.from(json.padEnd(Math.ceil(Buffer.byteLength(json) / ALIGNMENT) * ALIGNMENT))
  const size = Buffer.alloc(8)
  size.writeBigUInt64LE(BigInt(text.length))
  const head = Buffer.concat([size, text])
  const places = entries.map(({ name, dtype, shape, data_offsets: [from, to] }) => {
    return [name, { file, dtype, shape, start: head.length + from, end: head.length + to }] as const
  })
  return { head, places: new Map(places), bytes: head.length + end }
}

/**
 * Merge an adapter: write the tensors that it changes, in the base's types, to a safetensors file. Weights pass through
 * memory in blocks of rows. The file is written beside its place and renamed, or taken away when that fails.
 * @throws Failure naming a tensor whose values are not finite
 */
export async function mergeAdapter(options: MergeOptions): Promise<void> {
  const { adapter, base, tensors, file, signal, onProgress } = options
  const { head, bytes } = layoutOf(tensors, file)
  const weights = await open((await fileOf(adapter, ADAPTER_WEIGHTS)) ?? join(adapter, ADAPTER_WEIGHTS))
  const shards = new Shards(base)
  const out = await open(`${file}.partial`, 'w')
  try {
    await out.writeFile(head)
    let done = head.length
    for (const tensor of tensors) {
      const source = tensor.own ? weights : await shards.file(tensor.base.file)
      const change = await loadChange(weights, tensor)
      for await (const block of mergedBlocks(source, tensor, change)) {
        signal.throwIfAborted()
        await out.writeFile(block)
        done += block.length
        onProgress(done, bytes)
      }
    }
    await out.sync()
  } catch (error) {
    await rm(`${file}.partial`, { force: true }).catch(() => undefined) // the first error says more
    throw error
  } finally {
    await Promise.all([out.close(), weights.close(), shards.close()])
  }
  await renameOver(`${file}.partial`, file)
}

async function* mergedBlocks(
  source: File,
  { name, base, own, change }: MergedTensor,
  changeRows: Awaited<ReturnType<typeof loadChange>>,
): AsyncGenerator<Uint8Array> {
  const [rows = 1] = base.shape
  const cols = itemsOf(base) / rows
  const step = Math.max(1, Math.floor(BLOCK / cols))
  for (let row = 0; row < rows; row += step) {
    const count = Math.min(step, rows - row)
    const values = await readValues(source, own ?? base, row * cols, count * cols)
    changeRows(values, row)
    const bytes = encode(base.dtype, values)
    if (bytes === undefined) throw notFinite(name, base.dtype, own?.key ?? change)
    yield bytes
  }
}

function notFinite(name: string, dtype: string, cause: unknown): Failure {
  const what = typeof cause === 'string' ? `${ADAPTER_WEIGHTS}: ${cause}` : `The merged ${name}`
  return new Failure(
    `${what} holds NaN, an infinity, or a value that ${dtype}, the base's type, cannot hold.`,
    `Its training has failed, or it needs a base of another type. ${MERGE_WITH_PEFT}`,
  )
}

/** The base's shards, opened when they are first needed. */
class Shards {
  readonly #files = new Map<string, File>()
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  async file(name: string): Promise<File> {
    const known = this.#files.get(name)
    if (known) return known
    const file = await open(join(this.#folder, name))
    this.#files.set(name, file)
    return file
  }

  async close(): Promise<void> {
    await Promise.all([...this.#files.values()].map((file) => file.close()))
  }
}
