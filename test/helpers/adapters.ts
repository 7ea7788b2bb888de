// SPDX-License-Identifier: Apache-2.0

import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PROJECT } from '../../eval/runtime/project.ts'
import { decode, encode } from '../../pipeline/checkpoint/weight-values.ts'
import { copyTiny, editHeader, editJson } from './checkpoint.ts'

/** Adapters of the tiny checkpoint that peft has written, with what it makes of them (python/tiny/write_adapters.py). */
export const ADAPTERS = join(PROJECT, 'test', 'fixtures', 'adapters')

const EMBEDDINGS = 'model.language_model.embed_tokens.weight'

export interface Entry {
  readonly dtype: string
  readonly shape: number[]
  readonly data_offsets: [number, number]
}

/** A copy of one of them that a test may damage. */
export async function copyAdapter(folder: string, name: string, as = name): Promise<string> {
  const copy = join(folder, as)
  await cp(join(ADAPTERS, name), copy, { recursive: true })
  return copy
}

/** The tensors of a safetensors file. */
export async function readTensors(path: string): Promise<Map<string, { entry: Entry; bytes: Buffer }>> {
  const file = await readFile(path)
  const start = 8 + Number(file.readBigUInt64LE(0))
  const header: Record<string, Entry> = JSON.parse(file.subarray(8, start).toString())
  const tensors = Object.entries(header).filter(([name]) => name !== '__metadata__')
  return new Map(
    tensors.map(([name, entry]) => {
      const [from, to] = entry.data_offsets
      return [name, { entry, bytes: file.subarray(start + from, start + to) }]
    }),
  )
}

export async function writeTensors(
  path: string,
  tensors: ReadonlyMap<string, { entry: Pick<Entry, 'dtype' | 'shape'>; bytes: Uint8Array }>,
): Promise<void> {
  let end = 0
  const header: Record<string, Entry> = {}
  for (const [name, { entry, bytes }] of tensors) {
    header[name] = { dtype: entry.dtype, shape: entry.shape, data_offsets: [end, end + bytes.length] }
    end += bytes.length
  }
  const json = Buffer.from(JSON.stringify(header))
  const size = Buffer.alloc(8)
  size.writeBigUInt64LE(BigInt(json.length))
  await writeFile(path, Buffer.concat([size, json, ...[...tensors.values()].map(({ bytes }) => bytes)]))
}

/** Change one tensor of an adapter. */
export async function editTensor(
  folder: string,
  pattern: RegExp,
  edit: (values: Float32Array) => Float32Array,
): Promise<string> {
  const path = join(folder, 'adapter_model.safetensors')
  const tensors = await readTensors(path)
  const [name = '', found] = [...tensors].find(([key]) => pattern.test(key)) ?? []
  if (!found) throw new Error(`no tensor ${pattern}`)
  const values = edit(decode(found.entry.dtype, Buffer.from(Uint8Array.from(found.bytes).buffer)))
  const bytes =
    found.entry.dtype === 'F32' ? new Uint8Array(values.buffer) : encode(found.entry.dtype, values)
  if (!bytes) throw new Error(`${name} does not fit`)
  await writeTensors(path, new Map([...tensors, [name, { entry: found.entry, bytes }]]))
  return name
}

/** Give keys of an adapter other names. */
export async function renameKeys(folder: string, rename: (key: string) => string): Promise<void> {
  await editHeader(join(folder, 'adapter_model.safetensors'), (header) =>
    Object.fromEntries(Object.entries(header).map(([key, entry]) => [rename(key), entry])),
  )
}

/** The tiny checkpoint with weights of a type; untied, its output layer is the embedding table upside down. */
export async function tinyOf(folder: string, dtype: string, isUntied = false): Promise<string> {
  const copy = await copyTiny(folder)
  const path = join(copy, 'model.safetensors')
  const tensors = new Map<string, { entry: Pick<Entry, 'dtype' | 'shape'>; bytes: Uint8Array }>()
  for (const [name, { entry, bytes }] of await readTensors(path)) {
    const values = decode(entry.dtype, Buffer.from(Uint8Array.from(bytes).buffer))
    const encoded = encode(dtype, values)
    if (!encoded) throw new Error(`${name} does not fit into ${dtype}`)
    tensors.set(name, { entry: { dtype, shape: entry.shape }, bytes: encoded })
  }
  const table = tensors.get(EMBEDDINGS)
  if (isUntied && table) {
    const [rows = 0] = table.entry.shape
    const width = table.bytes.length / rows
    const reversed = Array.from({ length: rows }, (_, i) =>
      table.bytes.subarray((rows - 1 - i) * width, (rows - i) * width),
    )
    tensors.set('lm_head.weight', { entry: table.entry, bytes: Buffer.concat(reversed) })
    await editJson(copy, 'config.json', (config) => ({
      ...config,
      tie_word_embeddings: false,
      text_config: { ...(config['text_config'] as object), tie_word_embeddings: false },
    }))
  }
  await writeTensors(path, tensors)
  return copy
}
