// SPDX-License-Identifier: Apache-2.0

import { lstat } from 'node:fs/promises'
import type { Content } from './bytes.ts'
import type { FileChange } from './commit.ts'
import type { Model } from './model.ts'
import { FIELD } from './onnx-types.ts'
import { applyEdits, contentLength, type Edit, type Region } from './splice.ts'
import { encodeField, fields } from './wire.ts'

/* Editing the front of a large file without writing its weights again. */

/** Below this a file is written again: that takes no time, and leaves no padding. */
export const PATCH_MINIMUM = 8 << 20
/** A patch is held in memory. */
const PATCH_LIMIT = 32 << 20
/** Bytes that padding may take at most: where more are freed, the file shall become smaller. */
export const PADDING_LIMIT = 64 << 10
/** metadata_props key of the bytes that keep a large file's length; no other tool uses it. */
export const PADDING_KEY = 'qwen3-asr-onnx.padding'

/**
 * The change of a graph's file. In a large one whose edits free a few bytes before the weights, the weights stay
 * where they are. Padding takes the place of those bytes (a metadata_props entry of the graph), and only the stretch
 * that differs is written. Else the whole file is written, without padding.
 * @throws GraphError when the file is no longer the one that was opened
 * @see https://github.com/onnx/onnx/blob/main/onnx/onnx.proto GraphProto.metadata_props
 */
export async function changeOf(model: Model & { path: string }, edits: readonly Edit[]): Promise<FileChange> {
  const { bytes, path } = model
  bytes.refuseChanged()
  const all = [...edits, ...oldPadding(model)]
  const isLarge = bytes.length >= PATCH_MINIMUM && (await isOnlyName(path))
  const padded = isLarge ? padEdits(model, all) : undefined
  const patch = padded && patchOf(model, applyEdits(bytes, padded))
  return patch ? { path, ...patch } : { path, content: applyEdits(bytes, all) }
}

/** Patched is what has one name: through another one, or a link, somebody else's file would change. */
async function isOnlyName(path: string): Promise<boolean> {
  const info = await lstat(path)
  return info.isFile() && info.nlink === 1
}

/** Padding of an earlier change is taken up in the new one. */
function oldPadding({ metadata, graph }: Model): Edit[] {
  return metadata
    .filter(({ region, key }) => region === graph.region && key === PADDING_KEY)
    .map(({ region, field }) => ({ region, start: field.tagStart, end: field.end, content: [] }))
}

/** The edits, with as many bytes of padding after the last one as they free. */
function padEdits({ bytes, graph }: Model, edits: readonly Edit[]): Edit[] | undefined {
  const freed = bytes.length - contentLength(applyEdits(bytes, edits))
  const last = edits.reduce((end, edit) => Math.max(end, edit.end), 0)
  const fits = freed >= 0 && freed <= PADDING_LIMIT
  if (!fits || edits.some(({ region }) => !isWithin(region, graph.region))) return undefined
  if (freed === 0) return [...edits]
  for (const field of fields(bytes, graph.region.start, graph.region.end)) {
    if (field.end < last) continue
    const filler = padding(freed)
    const at = { region: graph.region, start: field.end, end: field.end }
    return filler && [...edits, { ...at, content: [filler] }]
  }
  return undefined
}

function isWithin(region: Region, outer: Region): boolean {
  for (let at: Region | undefined = region; at; at = at.parent) if (at === outer) return true
  return false
}

/**
 * metadata_props entries of exactly `length` bytes together: one, or two where the varint of its length would grow.
 * @returns undefined for fewer bytes than an entry takes
 */
export function padding(length: number): Uint8Array | undefined {
  const one = paddingEntry(length)
  if (one) return one
  const [first, second] = [paddingEntry(FIRST_OF_TWO), paddingEntry(length - FIRST_OF_TWO)]
  return first && second && Buffer.concat([first, second])
}

const FIRST_OF_TWO = 40

function paddingEntry(length: number): Uint8Array | undefined {
  const keyField = encodeField(FIELD.entry.key, PADDING_KEY)
  for (let spaces = Math.max(0, length - keyField.length - 12); spaces <= length; spaces++) {
    const value = encodeField(FIELD.entry.value, Buffer.alloc(spaces, ' '))
    const field = encodeField(FIELD.graph.metadata, Buffer.concat([keyField, value]))
    if (field.length >= length) return field.length === length ? field : undefined
  }
  return undefined
}

interface Patch {
  readonly patch: Uint8Array
  /** the byte of the file where it goes */
  readonly at: number
}

/** The stretch of a new file of the same length that is not the old file itself. */
function patchOf({ path, bytes }: Model, content: readonly Content[]): Patch | undefined {
  const isOld = (piece: Content, at: number) => 'path' in piece && piece.path === path && piece.start === at
  const placed = positions(content)
  const changed = placed.filter(([piece, start]) => !isOld(piece, start))
  const [from = 0, to = 0] = [changed[0]?.[1], changed.at(-1)?.[2]]
  if (changed.length === 0 || to - from > PATCH_LIMIT) return undefined
  const parts = placed.filter(([, start, end]) => end > from && start < to).map(([piece]) => piece)
  if (parts.some((piece) => 'produce' in piece)) return undefined
  const memory = parts.map((piece) =>
    'path' in piece ? bytes.read(piece.start, piece.end) : (piece as Uint8Array),
  )
  return { patch: Buffer.concat(memory), at: from }
}

/** Pieces with the bytes where they start and end in the new file. */
function positions(content: readonly Content[]): (readonly [Content, number, number])[] {
  let end = 0
  return content.map((piece) => {
    const start = end
    end += contentLength([piece])
    return [piece, start, end] as const
  })
}
