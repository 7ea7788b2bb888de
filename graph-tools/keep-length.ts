import { stat } from 'node:fs/promises'
import type { Content } from './bytes.ts'
import type { FileChange } from './commit.ts'
import type { Model } from './model.ts'
import { FIELD } from './schema.ts'
import { applyEdits, contentLength, type Edit, type Region } from './splice.ts'
import { encodeField, fields } from './wire.ts'

/** Below this a file is written anew: that takes no time, and leaves no padding. */
export const PATCH_MINIMUM = 8 << 20
/** A patch is held in memory. */
const PATCH_LIMIT = 32 << 20
/** metadata_props key of the bytes that keep a large file's length. */
export const PADDING_KEY = 'padding'

/**
 * A change of a large file that does not move its weights: when the edits only free bytes before the weights, padding
 * takes their place (a metadata_props entry of the graph), and only the stretch that differs is written.
 * @returns the whole new file where it is small, has other hard links, or the edits are not of that kind; the bytes are
 * the same either way
 */
export async function changeOf(model: Model & { path: string }, edits: readonly Edit[]): Promise<FileChange> {
  const whole = { path: model.path, content: applyEdits(model.bytes, edits) }
  if (model.bytes.length < PATCH_MINIMUM) return whole
  const padded = padEdits(model, [...edits, ...oldPadding(model)])
  if (!padded) return whole
  const content = applyEdits(model.bytes, padded)
  const patch = patchOf(model, content)
  const isOnlyName = (await stat(model.path)).nlink === 1
  return patch && isOnlyName ? { path: model.path, ...patch } : { path: model.path, content }
}

/** Padding of an earlier change is taken up in the new one. */
function oldPadding({ metadata, graph }: Model): Edit[] {
  return metadata
    .filter(({ region, key }) => region === graph.region && key.startsWith(PADDING_KEY))
    .map(({ region, field }) => ({ region, start: field.tagStart, end: field.end, content: [] }))
}

/** The edits, with as many bytes of padding after the last one as they free. */
function padEdits({ bytes, graph }: Model, edits: readonly Edit[]): Edit[] | undefined {
  const freed = bytes.length - contentLength(applyEdits(bytes, edits))
  const last = edits.reduce((end, edit) => Math.max(end, edit.end), 0)
  if (freed <= 0 || edits.some(({ region }) => !isWithin(region, graph.region))) return undefined
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
  const one = paddingEntry(PADDING_KEY, length)
  if (one) return one
  const [first, second] = [
    paddingEntry(PADDING_KEY, FIRST_OF_TWO),
    paddingEntry(`${PADDING_KEY}2`, length - FIRST_OF_TWO),
  ]
  return first && second && Buffer.concat([first, second])
}

const FIRST_OF_TWO = 32

function paddingEntry(key: string, length: number): Uint8Array | undefined {
  const keyField = encodeField(FIELD.entry.key, key)
  for (let spaces = Math.max(0, length - keyField.length - 12); spaces <= length; spaces++) {
    const value = encodeField(FIELD.entry.value, Buffer.alloc(spaces, ' '))
    const field = encodeField(FIELD.graph.metadata, Buffer.concat([keyField, value]))
    if (field.length >= length) return field.length === length ? field : undefined
  }
  return undefined
}

/** The stretch of a new file of the same length that is not the old file itself. */
function patchOf(model: Model, content: readonly Content[]): { patch: Uint8Array; at: number } | undefined {
  const isOld = (piece: Content, at: number) =>
    'path' in piece && piece.path === model.path && piece.start === at
  let [position, from, to] = [0, -1, 0]
  for (const piece of content) {
    const end = position + contentLength([piece])
    if (!isOld(piece, position)) {
      if (from < 0) from = position
      to = end
    }
    position = end
  }
  if (from < 0 || to - from > PATCH_LIMIT || position !== model.bytes.length) return undefined
  const parts: Uint8Array[] = []
  position = 0
  for (const piece of content) {
    const end = position + contentLength([piece])
    if (end > from && position < to) {
      if ('produce' in piece) return undefined
      parts.push('path' in piece ? model.bytes.read(piece.start, piece.end) : piece)
    }
    position = end
  }
  return { patch: Buffer.concat(parts), at: from }
}
