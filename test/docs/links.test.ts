// SPDX-License-Identifier: Apache-2.0

import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, it } from 'vitest'
import { PROJECT } from '../../eval/runtime/project.ts'
import { anchorsOf, type Page, pages, slugOf, withoutBlocks } from '../helpers/markdown.ts'

/* Every relative link of the documentation leads somewhere. */

const LINK = /\]\(([^)\s]+)\)|(?:href|src|srcset)="([^"]+)"/g

interface Link {
  readonly from: string
  readonly line: number
  readonly target: string
}

function linksOf({ path, text }: Page): Link[] {
  return withoutBlocks(text).flatMap((line, i) =>
    // links in code are code
    Array.from(line.replace(/`[^`]*`/g, '`').matchAll(LINK), ([, a = '', b = '']) => ({
      from: path,
      line: i + 1,
      target: a || b,
    })),
  )
}

/** What is wrong with a link, if anything is. */
function problemOf({ from, target }: Link): string | undefined {
  const [file = '', anchor] = target.split('#')
  const path = file === '' ? from : normalize(join(dirname(from), decodeURI(file)))
  if (!existsSync(join(PROJECT, path))) return `${path} does not exist`
  if (anchor === undefined) return undefined
  const isThere = anchorsOf(readFileSync(join(PROJECT, path), 'utf8')).has(anchor)
  return isThere ? undefined : `${path} has no heading #${anchor}`
}

describe('the documentation', () => {
  const all = pages()
  const links = all.flatMap(linksOf).filter(({ target }) => !/^[a-z]+:/.test(target))

  it('links to files and headings that exist', () => {
    expect(links.length).toBeGreaterThan(100)
    const problems = links.flatMap((link) => {
      const problem = problemOf(link)
      return problem === undefined ? [] : [`${link.from}:${link.line} ${link.target}: ${problem}`]
    })
    expect(problems).toEqual([])
  })

  it('has no page that nothing links to', () => {
    const linked = new Set(
      links.map(({ from, target }) => normalize(join(dirname(from), target.split('#')[0] ?? ''))),
    )
    const lost = all.map(({ path }) => path).filter((path) => path.startsWith('docs/') && !linked.has(path))
    expect(lost).toEqual([])
  })

  it('has anchors as GitHub makes them', () => {
    expect(slugOf('`--json`')).toBe('--json')
    expect(slugOf('Hub, token, proxies, no network')).toBe('hub-token-proxies-no-network')
    expect(slugOf('What was [seen](x.md) where?')).toBe('what-was-seen-where')
    expect([...anchorsOf('# A\n## Same\n```\n# not one\n```\n## Same\n')]).toEqual(['a', 'same', 'same-1'])
  })
})
