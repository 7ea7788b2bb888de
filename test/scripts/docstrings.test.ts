// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from 'vitest'
import { undocumented } from '../../scripts/docstrings.ts'

const DOCUMENTED = `
/** Bytes of a page. */
export const PAGE = 4096

/**
 * Reads a page.
 * @throws Error at the end
 */
export async function readPage(): Promise<void> {}

/** Where pages are. */
// biome-ignore lint/suspicious/noExplicitAny: an example
export class Pages {}

/** Ends of a range. */
export const [FIRST, LAST] = [0, 9]

export { join } from 'node:path'
export type { Stats } from 'node:fs'
const own = 1
`

describe('undocumented', () => {
  it('finds nothing in a module whose exported names have docstrings', () => {
    expect(undocumented(DOCUMENTED)).toEqual([])
  })

  it.each([
    ['export const PAGE = 4096', 'const PAGE'],
    ['export async function* pages() {', 'function* pages'],
    ['export interface Page {', 'interface Page'],
    ['export type Pages = readonly Page[]', 'type Pages'],
    ['export abstract class Reader {', 'class Reader'],
    ['export const { join } = path', 'const { join }'],
    ['export const [FIRST, LAST] = [0, 9]', 'const [FIRST, LAST]'],
  ])('finds %s', (line, declaration) => {
    expect(undocumented(`import path from 'node:path'\n\n${line}\n`)).toEqual([{ line: 3, declaration }])
  })

  it.each([
    ['a comment of the file', '/* Pages of a file. */'],
    ['an empty one', '/** */'],
    ['one of a tag alone', '/** @returns bytes */'],
    ['one of tags alone, in lines', '/**\n * @param at in bytes\n * @throws Error at the end\n */'],
    ['a comment to the end of the line', '// Bytes of a page.'],
    ['one with a line between', '/** Bytes of a page. */\n'],
    ['one of the declaration before', '/** Lines of a page. */\nexport const LINES = 40'],
  ])('does not count %s as a docstring', (_what, above) => {
    const found = undocumented(`${above}\nexport const PAGE = 4096\n`)
    expect(found.map(({ declaration }) => declaration)).toEqual(['const PAGE'])
  })
})
