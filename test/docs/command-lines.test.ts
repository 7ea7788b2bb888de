// SPDX-License-Identifier: Apache-2.0

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { PROJECT } from '../../eval/runtime/project.ts'
import { parseAlign } from '../../pipeline/commands/align-options.ts'
import { COMMANDS } from '../../pipeline/commands/commands.ts'
import { parseCompare } from '../../pipeline/commands/compare-command.ts'
import { parseEvaluate } from '../../pipeline/commands/evaluate-options.ts'
import { parseGraph } from '../../pipeline/commands/graph-options.ts'
import { parsePackage } from '../../pipeline/commands/package-options.ts'
import { parsePage } from '../../pipeline/commands/page-command.ts'
import { parsePipeline } from '../../pipeline/commands/pipeline-options.ts'
import { parsePublish } from '../../pipeline/commands/publish-options.ts'
import { parseQuantize } from '../../pipeline/commands/quantize-options.ts'
import { parseTranscribe } from '../../pipeline/commands/transcribe-options.ts'
import { describeError } from '../../pipeline/shared/failure.ts'
import { type Invocation, invocationsIn } from '../helpers/command-words.ts'
import { codeBlocks, type Page, pages, withoutBlocks } from '../helpers/markdown.ts'

/* Every command line of the documentation is taken by the real parser. */

const PARSERS: Readonly<Record<string, (args: readonly string[]) => Promise<unknown>>> = {
  align: parseAlign,
  compare: parseCompare,
  evaluate: parseEvaluate,
  graph: parseGraph,
  package: parsePackage,
  page: parsePage,
  pipeline: parsePipeline,
  publish: parsePublish,
  quantize: parseQuantize,
  transcribe: parseTranscribe,
}

/** Commands as they were, and hints that are sentences. */
const NOT_NOW = ['CHANGELOG.md', 'docs/messages.md']

interface Found extends Invocation {
  readonly at: string
}

const names = Object.keys(PARSERS)
/** Lines of code blocks, and code within a sentence that has arguments. */
function linesOf({ path, text }: Page): { line: string; at: string }[] {
  const blocks = codeBlocks(text)
    .filter(({ language }) => ['', 'sh', 'yaml'].includes(language))
    .flatMap(({ lines, at }) =>
      lines.map((line, i) => ({ line: line.replace(/^\s*(- )?(run: )?/, ''), at: `${path}:${at + i}` })),
    )
  const inline = withoutBlocks(text).flatMap((line, i) =>
    Array.from(line.matchAll(/`([^`]* -- [^`]*)`/g), ([, code = '']) => ({
      line: code,
      at: `${path}:${i + 1}`,
    })),
  )
  return [...blocks, ...inline]
}

const found: Found[] = pages()
  .filter(({ path }) => !NOT_NOW.includes(path))
  .flatMap(linesOf)
  .flatMap(({ line, at }) =>
    invocationsIn(line, names).map((invocation) => ({ ...invocation, at: `${at} ${line}` })),
  )

/** A line with `...` shows where more may stand. */
const whole = found.filter(({ words }) => !words.includes('...'))

async function problemOf({ command, words, at }: Found): Promise<string[]> {
  try {
    await PARSERS[command]?.(words)
    return []
  } catch (error) {
    return [`${at}: ${describeError(error).message}`]
  }
}

describe('command lines of the documentation', () => {
  it('are of every command', () => {
    expect(names.sort()).toEqual(Object.keys(COMMANDS).sort())
    expect([...new Set(whole.map(({ command }) => command))].sort()).toEqual(names)
    expect(whole.length).toBeGreaterThan(80)
  })

  it('are taken by the parsers', async () => {
    expect((await Promise.all(whole.map(problemOf))).flat()).toEqual([])
  })

  it('name scripts that package.json has', () => {
    const { scripts }: { scripts: object } = JSON.parse(readFileSync(join(PROJECT, 'package.json'), 'utf8'))
    const called = pages().flatMap(({ path, text }) =>
      Array.from(text.matchAll(/npm run (?:--silent |-s )?([a-z][\w:-]*)/g), ([, name = '']) => ({
        path,
        name,
      })),
    )
    expect(called.filter(({ name }) => !(name in scripts))).toEqual([])
  })
})
