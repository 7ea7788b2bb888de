// SPDX-License-Identifier: Apache-2.0

import { type FileSlice, lengthOf, type Reply, xmlFailure } from './reply.ts'

/** All of the bytes, or the range of them that was asked for (RFC 9110, 14.2). */
export function rangeReply(
  whole: Uint8Array | FileSlice,
  header: string | undefined,
  headers: Readonly<Record<string, string>>,
): Reply {
  const size = lengthOf(whole)
  const range = parseRange(header, size)
  const common = { 'accept-ranges': 'bytes', ...headers }
  if (range === undefined) return { status: 200, headers: common, body: whole }
  const { start, end } = range
  if (start >= end) {
    const none = xmlFailure(416, 'InvalidRange', 'The requested range is not satisfiable')
    return { ...none, headers: { ...none.headers, 'content-range': `bytes */${size}` } }
  }
  const body =
    whole instanceof Uint8Array
      ? whole.subarray(start, end)
      : { file: whole.file, start: whole.start + start, end: whole.start + end }
  return {
    status: 206,
    headers: { ...common, 'content-range': `bytes ${start}-${end - 1}/${size}` },
    body,
  }
}

/** @returns an empty range when it starts behind the end; undefined for all, also when the header makes no sense */
export function parseRange(
  header: string | undefined,
  size: number,
): { start: number; end: number } | undefined {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(header ?? '') ?? []
  if (first === undefined || (first === '' && last === '')) return undefined
  if (first === '') return { start: Math.max(0, size - Number(last)), end: Number(last) > 0 ? size : 0 }
  const start = Number(first)
  if (last !== '' && Number(last) < start) return undefined
  return { start, end: Math.min(size, last === '' ? size : Number(last) + 1) }
}
