// SPDX-License-Identifier: Apache-2.0

import { readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join, normalize } from 'node:path'
import { describe, expect, it } from 'vitest'
import { PROJECT } from '../eval/runtime/project.ts'

/* How the sources are laid out. Which room may import which is the linter's business (biome.json). */

const ROOMS = ['eval', 'graph-tools', 'pipeline', 'scripts']
/** https://spdx.dev/learn/handling-license-info/ */
const LICENSED = /^(?:#!.*\n)?(?:\/\/|#|\/\*) SPDX-License-Identifier: Apache-2\.0(?: \*\/)?\n/
const IMPORT = /(?:from|import\()\s*'(\.[^']+)'/g
/** Files that import each other in a circle, types included; more are one file in several places. */
const LARGEST_CIRCLE = 3

function namesIn(folder: string, isSource: (name: string) => boolean): string[] {
  const names = readdirSync(join(PROJECT, folder), { recursive: true, encoding: 'utf8' })
  return names.filter(isSource).map((name) => join(folder, name))
}

const sources = ROOMS.flatMap((room) => namesIn(room, (name) => /\.(ts|js)$/.test(name)))
const scripts = namesIn('python', (name) => name.endsWith('.py'))

function importsOf(file: string): string[] {
  const text = readFileSync(join(PROJECT, file), 'utf8')
  return Array.from(text.matchAll(IMPORT), ([, name = '']) => normalize(join(dirname(file), name)))
}

/** Files that reach each other, by Tarjan's algorithm (SIAM Journal on Computing 1, 1972). */
function circlesOf(files: readonly string[]): string[][] {
  const edges = new Map(files.map((file) => [file, importsOf(file).filter((name) => files.includes(name))]))
  const [order, low] = [new Map<string, number>(), new Map<string, number>()]
  const stack: string[] = []
  const circles: string[][] = []
  const visit = (file: string) => {
    order.set(file, order.size)
    low.set(file, order.get(file) ?? 0)
    stack.push(file)
    for (const next of edges.get(file) ?? []) {
      if (!order.has(next)) visit(next)
      if (stack.includes(next)) low.set(file, Math.min(low.get(file) ?? 0, low.get(next) ?? 0))
    }
    if (low.get(file) !== order.get(file)) return
    circles.push(stack.splice(stack.indexOf(file)))
  }
  for (const file of files) if (!order.has(file)) visit(file)
  return circles.filter(({ length }) => length > 1)
}

describe('the sources', () => {
  it('import each other in no circle of more than three files', () => {
    expect(sources.length).toBeGreaterThan(300)
    expect(circlesOf(sources).filter(({ length }) => length > LARGEST_CIRCLE)).toEqual([])
  })

  it('import types at the top, where the linter sees the rooms that they come from', () => {
    const inline = /import\('[^']+'\)\s*\.\s*[A-Z]/
    expect(sources.filter((file) => inline.test(readFileSync(join(PROJECT, file), 'utf8')))).toEqual([])
  })

  it('open with the license', () => {
    const isSource = (name: string) => /\.(?:ts|js|py|css)$/.test(name) && !/fixtures|__pycache__/.test(name)
    const files = [...ROOMS, 'python', 'test'].flatMap((room) => namesIn(room, isSource))
    expect(files.length).toBeGreaterThan(900)
    const texts = files.map((file) => [file, readFileSync(join(PROJECT, file), 'utf8')] as const)
    expect(texts.flatMap(([file, text]) => (LICENSED.test(text) ? [] : [file]))).toEqual([])
  })

  it('have no file name twice', () => {
    const names = [...sources, ...scripts].map((file) => basename(file))
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([])
  })
})
