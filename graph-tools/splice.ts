// SPDX-License-Identifier: Apache-2.0

import type { Bytes, Content } from './bytes.ts'
import { GraphError } from './graph-error.ts'
import { encodeVarint } from './wire.ts'

/* Editing serialized messages by replacing ranges of bytes. */

/** The payload of a length-delimited message, and where its length varint stands. */
export interface Region {
  readonly lengthStart: number
  readonly start: number
  readonly end: number
  readonly parent: Region | undefined
}

/** Replace `start..end` by `content`. `region` is the innermost message that contains the range. */
export interface Edit {
  readonly region: Region
  readonly start: number
  readonly end: number
  readonly content: readonly Content[]
}

/**
 * The edited file as a list of pieces: untouched stretches of `original`, new content, and new length prefixes
 * for exactly the messages whose size changed. Without edits that is `original` itself.
 * @throws GraphError when edits overlap
 */
export function applyEdits(original: Bytes, edits: readonly Edit[]): Content[] {
  const kept = withoutNested(edits)
  const splices = [...kept, ...lengthEdits(kept)].sort((a, b) => a.start - b.start || a.end - b.end)
  const out: Content[] = []
  let position = 0
  for (const splice of splices) {
    if (splice.start < position) throw new GraphError(`Two edits overlap at byte ${splice.start}.`)
    if (splice.start > position) out.push(original.slice(position, splice.start))
    out.push(...splice.content)
    position = splice.end
  }
  if (position < original.length) out.push(original.slice(position, original.length))
  return out
}

/**
 * The edited file in memory, for files whose weights are elsewhere.
 * @throws GraphError for content that is neither in memory nor of the original
 */
export function editedBytes(original: Bytes, edits: readonly Edit[]): Uint8Array {
  return Buffer.concat(
    applyEdits(original, edits).map((piece) => {
      if (piece instanceof Uint8Array) return piece
      if ('start' in piece) return original.read(piece.start, piece.end)
      throw new GraphError('The edited graph holds weights, which are not read into memory.')
    }),
  )
}

/** What is changed within something that another edit removes goes with it. */
function withoutNested(edits: readonly Edit[]): readonly Edit[] {
  const kept: Edit[] = []
  let removed = { start: -1, end: -1 }
  for (const edit of [...edits].sort((a, b) => a.start - b.start || b.end - a.end)) {
    const { region } = edit
    if (region.start > removed.start && region.end <= removed.end) continue
    if (edit.end > edit.start && edit.content.length === 0) removed = edit
    kept.push(edit)
  }
  return kept
}

/** Bytes that the pieces hold together. */
export function contentLength(content: readonly Content[]): number {
  return content.reduce((sum, piece) => sum + pieceLength(piece), 0)
}

function pieceLength(piece: Content): number {
  return 'length' in piece ? piece.length : piece.end - piece.start
}

/** Growth of an inner message changes the lengths of all around it, possibly by one varint byte more each. */
function lengthEdits(edits: readonly Edit[]): Edit[] {
  const growth = new Map<Region, number>()
  const grow = (region: Region, bytes: number) => growth.set(region, (growth.get(region) ?? 0) + bytes)
  for (const edit of edits) {
    for (let region: Region | undefined = edit.region; region; region = region.parent) grow(region, 0)
    grow(edit.region, contentLength(edit.content) - (edit.end - edit.start))
  }
  const innermostFirst = [...growth.keys()].sort((a, b) => depth(b) - depth(a))
  const out: Edit[] = []
  for (const region of innermostFirst) {
    const bytes = growth.get(region) ?? 0
    if (region.parent === undefined || bytes === 0) continue
    const prefix = encodeVarint(region.end - region.start + bytes)
    grow(region.parent, bytes + prefix.length - (region.start - region.lengthStart))
    out.push({ region: region.parent, start: region.lengthStart, end: region.start, content: [prefix] })
  }
  return out
}

function depth(region: Region): number {
  let levels = 0
  for (let outer = region.parent; outer; outer = outer.parent) levels++
  return levels
}
