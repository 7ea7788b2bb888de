// SPDX-License-Identifier: Apache-2.0

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { PROJECT } from '../../eval/runtime/project.ts'

/* The project's Markdown files, read as GitHub reads them. */

export interface Page {
  /** from the project's root, as `docs/gpu.md` */
  readonly path: string
  readonly text: string
}

export interface CodeBlock {
  readonly language: string
  /** lines, with `\` at the end of a line joined to the next */
  readonly lines: readonly string[]
  /** the number of its first line in the file */
  readonly at: number
}

const FENCE = /^\s*(`{3,})(\w*)/

/** README, changelog, docs and what GitHub shows; model cards of fixtures are their makers' business. */
export function pages(): Page[] {
  const top = readdirSync(PROJECT).filter((name) => name.endsWith('.md'))
  const below = ['docs', '.github'].flatMap((folder) =>
    readdirSync(join(PROJECT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.md'))
      .map((name) => join(folder, name)),
  )
  return [...top, ...below].map((path) => ({ path, text: readFileSync(join(PROJECT, path), 'utf8') }))
}

/** Fenced and indented blocks. */
export function codeBlocks(text: string): CodeBlock[] {
  const blocks: { language: string; lines: string[]; at: number; fence: string }[] = []
  let open: (typeof blocks)[number] | undefined
  for (const [i, line] of text.split('\n').entries()) {
    const [, fence = '', language = ''] = FENCE.exec(line) ?? []
    if (open === undefined && fence !== '') {
      open = { language, lines: [], at: i + 2, fence }
      blocks.push(open)
    } else if (open !== undefined && fence.startsWith(open.fence)) open = undefined
    else if (open !== undefined) open.lines.push(line)
    else if (/^ {4}(?! *[-*\d])\S/.test(line))
      blocks.push({ language: '', lines: [line.trim()], at: i + 1, fence })
  }
  return blocks.map(({ language, lines, at }) => ({ language, at, lines: joined(lines) }))
}

/** The text with its code blocks left empty, so that lines keep their numbers. */
export function withoutBlocks(text: string): string[] {
  let fence = ''
  return text.split('\n').map((line) => {
    const [, mark = ''] = FENCE.exec(line) ?? []
    const isFence = mark !== '' && (fence === '' || mark.startsWith(fence))
    if (isFence) fence = fence === '' ? mark : ''
    return isFence || fence !== '' || /^ {4}\S/.test(line) ? '' : line
  })
}

/** The anchors of a page's headings, as github-slugger makes them. */
export function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>()
  for (const line of withoutBlocks(text)) {
    const [, title] = /^#{1,6} +(.*?)\s*$/.exec(line) ?? []
    if (title === undefined) continue
    const slug = slugOf(title)
    let name = slug
    for (let n = 1; anchors.has(name); n++) name = `${slug}-${n}`
    anchors.add(name)
  }
  return anchors
}

export function slugOf(title: string): string {
  const plain = title.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
  return plain
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, '')
    .replaceAll(' ', '-')
}

function joined(lines: readonly string[]): string[] {
  const result: string[] = []
  let isOpen = false
  for (const line of lines) {
    const text = line.replace(/\s*\\$/, '')
    if (isOpen) result.push(`${result.pop() ?? ''} ${text.trim()}`)
    else result.push(text)
    isOpen = text !== line
  }
  return result
}
