// SPDX-License-Identifier: Apache-2.0

import * as v from 'valibot'
import { type EmbeddingTable, openEmbeddings } from './embeddings.ts'
import { EMBEDDINGS } from './graphs.ts'
import { damaged, readJson } from './json-file.ts'
import { join } from './platform/file-paths.ts'
import { type OpenFile, openFile } from './platform/random-access.ts'
import type { Release, ReleaseVariant } from './release.ts'
import { checkedAs, list, type Parsed, shape, text, whole } from './schema.ts'
import { SpeechError } from './speech-error.ts'

const size = whole(1, 1 << 24)
/** An offset in the data file, or few bytes in base64. */
const place = v.union([whole(0, Number.MAX_SAFE_INTEGER), text], 'an offset, or bytes in base64')

/** embed_tokens.VARIANT.json: where the rows of the quantized output layer are, which are the embedding table too. */
export const QUANTIZED_TABLE = shape({
  data: v.pipe(text, v.regex(/^[^/\\\0]+$/, 'the name of a file beside it')),
  bits: v.picklist([4, 8], '4 or 8'),
  block_size: size,
  shape: v.pipe(list(size), v.length(2, '[vocabulary, width]')),
  packed: place,
  scales: place,
  zero_points: v.exactOptional(place),
})
/** Where the rows of a quantized output layer are, read from embed_tokens.VARIANT.json. */
export type QuantizedTable = Parsed<typeof QUANTIZED_TABLE>

/**
 * The embedding table of a variant: embed_tokens.bin, or the rows of its quantized output layer.
 * @throws SpeechError when a file is missing, is not as it says, or of another model than config.json
 */
export async function openVariantEmbeddings(
  { folder, config }: Release,
  { table }: ReleaseVariant,
): Promise<EmbeddingTable> {
  if (table === undefined) return openEmbeddings(join(folder, EMBEDDINGS), config.embeddingShape)
  return openQuantizedEmbeddings(folder, table, config.embeddingShape)
}

/**
 * Rows of a quantized output layer as float32, read and widened one at a time: (q - zero point) * scale.
 * @param file in `folder`, {@link QUANTIZED_TABLE}
 * @param wanted [vocab, hidden]
 * @throws SpeechError when a file is missing, a key is not right, or there are fewer bytes than it says
 */
export async function openQuantizedEmbeddings(
  folder: string,
  file: string,
  wanted: readonly [number, number],
): Promise<EmbeddingTable> {
  const path = join(folder, file)
  const table = checkedAs(QUANTIZED_TABLE, await readJson(path), { file: path }, damaged)
  const [vocab, hidden] = wanted
  requireShape(table, wanted, path)
  const data = openData(join(folder, table.data))
  try {
    const rows = rowReaders(table, { data, path: join(folder, table.data) }, wanted)
    const widen = table.bits === 4 ? widenNibbles : widenBytes
    return {
      hidden,
      read(id, out, offset = 0) {
        if (!(id >= 0 && id < vocab)) throw new SpeechError(`${path} has no row ${id}, it has ${vocab}.`)
        const scales = rows.scales(id)
        const floats = new Float32Array(scales.buffer, scales.byteOffset, scales.length / 4)
        widen(
          rows.packed(id),
          floats,
          rows.zeros?.(id),
          table.block_size,
          out.subarray(offset, offset + hidden),
        )
      },
      close: () => data.close(),
    }
  } catch (error) {
    data.close()
    throw error
  }
}

function requireShape(
  { shape: found, block_size: block }: QuantizedTable,
  wanted: readonly number[],
  path: string,
) {
  if (found.some((size, i) => size !== wanted[i]))
    throw damaged(
      `${path}: shape is [${found.join(', ')}], wanted [${wanted.join(', ')}] as config.json says.`,
    )
  const [, hidden = 0] = wanted
  if (hidden % block !== 0 || block % 2 !== 0)
    throw damaged(`${path}: block_size is ${block}, wanted an even divisor of ${hidden}.`)
}

function openData(path: string): OpenFile {
  try {
    return openFile(path)
  } catch (error) {
    throw new SpeechError(`${path} cannot be read: ${(error as Error).message}`)
  }
}

interface Data {
  readonly data: OpenFile
  readonly path: string
}

/** Of each part, what reads the bytes of one row; they are valid until its next call. */
type ReadRow = (id: number) => Uint8Array

interface RowReaders {
  readonly packed: ReadRow
  readonly scales: ReadRow
  readonly zeros: ReadRow | undefined
}

function rowReaders(
  { bits, block_size: block, packed, scales, zero_points: zeros }: QuantizedTable,
  data: Data,
  [vocab, hidden]: readonly [number, number],
): RowReaders {
  const blocks = hidden / block
  const reader = (at: number | string, width: number) => rowReader(at, width, vocab, data)
  return {
    packed: reader(packed, (hidden * bits) / 8),
    scales: reader(scales, 4 * blocks),
    zeros: zeros === undefined ? undefined : reader(zeros, Math.ceil((blocks * bits) / 8)),
  }
}

function rowReader(at: number | string, width: number, vocab: number, { data, path }: Data): ReadRow {
  if (typeof at === 'string') {
    const all = Uint8Array.from(Buffer.from(at, 'base64'))
    if (all.length !== width * vocab)
      throw damaged(`The embedding table has ${all.length} bytes in base64, wanted ${width * vocab}.`)
    return (id) => all.slice(id * width, (id + 1) * width)
  }
  const { size: end } = data
  if (at + width * vocab > end) throw damaged(`${path} ends at byte ${end}, wanted ${at + width * vocab}.`)
  const row = new Uint8Array(width)
  return (id) => {
    if (data.read(row, at + id * width) !== width)
      throw new SpeechError(`${path} cannot be read at byte ${at + id * width}.`)
    return row
  }
}

type Widen = (
  packed: Uint8Array,
  scales: Float32Array,
  zeros: Uint8Array | undefined,
  block: number,
  out: Float32Array,
) => void

const widenBytes: Widen = (packed, scales, zeros, block, out) => {
  for (let i = 0; i < scales.length; i++) {
    const [scale, zero] = [scales[i] as number, zeros?.[i] ?? 128]
    for (let k = i * block; k < (i + 1) * block; k++) out[k] = ((packed[k] as number) - zero) * scale
  }
}

/** Two levels in a byte, the lower half first; zero points alike. */
const widenNibbles: Widen = (packed, scales, zeros, block, out) => {
  for (let i = 0; i < scales.length; i++) {
    const scale = scales[i] as number
    const zero = zeros === undefined ? 8 : ((zeros[i >> 1] as number) >> (4 * (i & 1))) & 15
    for (let k = i * block; k < (i + 1) * block; k += 2) {
      const pair = packed[k >> 1] as number
      out[k] = ((pair & 15) - zero) * scale
      out[k + 1] = ((pair >> 4) - zero) * scale
    }
  }
}
