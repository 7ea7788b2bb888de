// SPDX-License-Identifier: Apache-2.0

import { type OpenFile, openFile } from './platform/random-access.ts'
import { SpeechError } from './speech-error.ts'

/** Rows of embed_tokens.bin, read and widened one at a time: the table is never in memory. */
export interface EmbeddingTable {
  /** values in a row */
  readonly hidden: number
  /** Write row `id` as float32 into `out`, from `offset` on: `hidden` values. */
  read(id: number, out: Float32Array, offset?: number): void
  close(): void
}

const widened = widenAll()

/**
 * Open a table of embeddings, whose rows are read when they are needed.
 * @param path headerless little-endian row-major FP16
 * @param shape [vocab, hidden]
 * @throws SpeechError when the file is missing or has another size
 */
export function openEmbeddings(path: string, shape: readonly [number, number]): EmbeddingTable {
  const [vocab, hidden] = shape
  const file = openTable(path)
  const bytes = file.size
  if (bytes !== vocab * hidden * 2) {
    file.close()
    throw new SpeechError(
      `${path} has ${bytes} bytes, wanted ${vocab * hidden * 2} ([${vocab}, ${hidden}] float16).`,
    )
  }
  const row = new Uint16Array(hidden)
  const rowBytes = new Uint8Array(row.buffer)
  return {
    hidden,
    read(id, out, offset = 0) {
      if (!(id >= 0 && id < vocab) || file.read(rowBytes, id * hidden * 2) !== hidden * 2)
        throw new SpeechError(`${path} has no row ${id}, it has ${vocab}.`)
      for (let i = 0; i < hidden; i++) out[offset + i] = widened[row[i] as number] as number
    },
    close: () => file.close(),
  }
}

function openTable(path: string): OpenFile {
  try {
    return openFile(path)
  } catch (error) {
    throw new SpeechError(`${path} cannot be read: ${(error as Error).message}`)
  }
}

/** float32 of each of the 65536 float16 bit patterns (IEEE 754-2019 section 3.4). */
function widenAll(): Float32Array {
  return Float32Array.from({ length: 65536 }, (_, bits) => {
    const sign = bits & 0x8000 ? -1 : 1
    const exponent = (bits >>> 10) & 31
    const mantissa = bits & 1023
    if (exponent === 31) return mantissa ? Number.NaN : sign * Number.POSITIVE_INFINITY
    return exponent === 0 ? sign * mantissa * 2 ** -24 : sign * (1024 + mantissa) * 2 ** (exponent - 25)
  })
}
