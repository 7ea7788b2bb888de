// SPDX-License-Identifier: Apache-2.0

import type { Term } from './shard.ts'
import type { HubState } from './state.ts'
import type { XetFile } from './xet-store.ts'

/** From start to before end. */
interface Range {
  readonly start: number
  readonly end: number
}

interface Piece {
  readonly hash: string
  readonly unpacked_length: number
  /** chunks */
  readonly range: Range
}

/** Which chunks make a range of a file, and where they are to be had. */
export function reconstructionOf(state: HubState, file: XetFile, range: Range, version: 'v1' | 'v2'): object {
  const { pieces, skipped } = cut(state, file, range)
  const fetches: Record<string, object[]> = {}
  for (const hash of new Set(pieces.map((piece) => piece.hash)))
    fetches[hash] = joined(pieces.filter((piece) => piece.hash === hash).map((piece) => piece.range)).map(
      (chunks) => fetchOf(state, hash, chunks, version),
    )
  const common = { offset_into_first_range: skipped, terms: pieces }
  return version === 'v1' ? { ...common, fetch_info: fetches } : { ...common, xorbs: fetches }
}

/** Without the chunks before and behind the range. */
function cut(state: HubState, file: XetFile, { start, end }: Range): { pieces: Piece[]; skipped: number } {
  const pieces: Piece[] = []
  let [at, skipped] = [0, 0]
  for (const term of file.terms) {
    const piece = cutTerm(state, term, { start: start - at, end: end - at })
    at += term.length
    if (!piece) continue
    if (pieces.length === 0) skipped = piece.skipped
    pieces.push(piece.piece)
  }
  return { pieces, skipped }
}

/** @param range in bytes of the term, also outside of it */
function cutTerm({ xet }: HubState, term: Term, range: Range): { piece: Piece; skipped: number } | undefined {
  let [at, length, skipped, first, last] = [0, 0, 0, -1, -1]
  for (const [i, chunk] of xet.chunksOf(term.xorb).slice(term.start, term.end).entries()) {
    const end = at + chunk.length
    if (end > range.start && at < range.end) {
      if (first < 0) [first, skipped] = [i, Math.max(0, range.start - at)]
      last = i
      length += chunk.length
    }
    at = end
  }
  if (first < 0) return undefined
  const chunks = { start: term.start + first, end: term.start + last + 1 }
  return { piece: { hash: term.xorb, unpacked_length: length, range: chunks }, skipped }
}

/** Ranges that overlap or touch become one: no chunk is fetched twice. */
function joined(ranges: readonly Range[]): Range[] {
  const all: Range[] = []
  for (const range of ranges.toSorted((a, b) => a.start - b.start)) {
    const last = all.at(-1)
    if (last && range.start <= last.end)
      all[all.length - 1] = { start: last.start, end: Math.max(last.end, range.end) }
    else all.push(range)
  }
  return all
}

/** Byte ranges include their end, chunk ranges do not. */
function fetchOf(state: HubState, hash: string, chunks: Range, version: 'v1' | 'v2'): object {
  const all = state.xet.chunksOf(hash)
  const bytes = { start: all[chunks.start]?.start ?? 0, end: (all[chunks.end - 1]?.end ?? 0) - 1 }
  const address = new URL(`${state.urls.storage}/xorbs/${hash}`)
  address.searchParams.set('X-Xet-Signed-Range', `bytes=${bytes.start}-${bytes.end}`)
  const url = state.signer.sign('GET', address.href)
  return version === 'v1' ? { range: chunks, url, url_range: bytes } : { url, ranges: [{ chunks, bytes }] }
}
