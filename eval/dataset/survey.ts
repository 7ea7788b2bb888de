// SPDX-License-Identifier: Apache-2.0

import { createHash } from 'node:crypto'
import { isBlank } from '../normalize/comparable.ts'
import { SpeechError } from '../runtime/speech-error.ts'
import type { Entry } from './entry.ts'
import type { Entries } from './find-entries.ts'

/* Two passes over a manifest that is too long for memory: counting its entries, and picking some. */

/** How many entries there are. */
export interface Survey {
  /** that can be chosen */
  readonly count: number
  /** without a reference */
  readonly leftOut: number
  /** identifies the hotwords of all entries by content; undefined when no entry has any */
  readonly hotwords?: string
}

/**
 * Count the entries of a dataset without keeping them: a manifest may have millions.
 * @throws SpeechError when two have the same id
 */
export async function surveyEntries(name: string, entries: Entries, keepEmpty: boolean): Promise<Survey> {
  const ids = new Set<number>()
  const lists = createHash('sha256')
  let hasLists = false
  let [count, leftOut] = [0, 0]
  for await (const entry of entries()) {
    if (isLeftOut(entry, keepEmpty)) {
      leftOut++
      continue
    }
    const hash = hashOf(entry.id)
    if (ids.has(hash)) await requireOnce(name, entry.id, entries, keepEmpty)
    ids.add(hash)
    count++
    if (entry.hotwords === undefined) continue
    hasLists = true
    lists.update(`${JSON.stringify([entry.id, entry.hotwords])}\n`)
  }
  return { count, leftOut, ...(hasLists && { hotwords: lists.digest('hex').slice(0, 16) }) }
}

/**
 * The entries with these numbers among those that can be chosen.
 * @param rows ascending
 */
export async function pickEntries(
  entries: Entries,
  rows: readonly number[],
  keepEmpty: boolean,
): Promise<{ readonly entry: Entry; readonly row: number }[]> {
  const picked: { entry: Entry; row: number }[] = []
  let row = 0
  if (rows.length === 0) return picked
  for await (const entry of entries()) {
    if (isLeftOut(entry, keepEmpty)) continue
    if (rows[picked.length] === row) picked.push({ entry, row })
    if (picked.length === rows.length) break
    row++
  }
  return picked
}

function isLeftOut({ text }: Entry, keepEmpty: boolean): boolean {
  return !keepEmpty && isBlank(text)
}

/** Two ids may have one hash. */
async function requireOnce(name: string, id: string, entries: Entries, keepEmpty: boolean): Promise<void> {
  let found = 0
  for await (const entry of entries()) {
    if (!isLeftOut(entry, keepEmpty) && entry.id === id) found++
    if (found > 1)
      throw new SpeechError(`${name} lists ${id} twice.`, 'Give each recording an "id" of its own.')
  }
}

/** 53 bits of two FNV-1a hashes: eight bytes of memory for each id. */
function hashOf(id: string): number {
  let [a, b] = [0x811c9dc5, 0x050c5d1f]
  for (let i = 0; i < id.length; i++) {
    const code = id.charCodeAt(i)
    a = Math.imul(a ^ code, 0x01000193)
    b = Math.imul(b ^ code ^ (a >>> 15), 0x01000193)
  }
  return (a >>> 0) * 0x200000 + (b >>> 11)
}
