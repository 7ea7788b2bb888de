// SPDX-License-Identifier: Apache-2.0

import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { execa } from 'execa'
import { describe, expect, it } from 'vitest'
import { PROJECT } from '../../eval/runtime/project.ts'
import { codeBlocks, pages } from '../helpers/markdown.ts'

/* Programs of the documentation compile against the sources, with the project's own settings. */

const FOLDER = join(PROJECT, 'node_modules', '.cache', 'qwen3-asr-onnx-docs')

const blocks = pages().flatMap(({ path, text }) =>
  codeBlocks(text)
    .filter(({ language, lines }) => language === 'ts' && lines.some((line) => line.startsWith('import ')))
    .map(({ lines, at }) => ({
      name: `${path.replace(/\W/g, '-')}-${at}.ts`,
      text: fromRoot(lines.join('\n')),
    })),
)

/** Relative imports of a program in the project's root. */
function fromRoot(text: string): string {
  return text.replace(/from '\.\/(?=[\w-]+\/)/g, `from '${relative(FOLDER, PROJECT)}/`)
}

const CONFIG = {
  extends: join(PROJECT, 'tsconfig.json'),
  compilerOptions: {
    typeRoots: [join(PROJECT, 'node_modules', '@types')],
    noUnusedLocals: false,
    paths: {
      'qwen3-asr-onnx': [join(PROJECT, 'eval', 'runtime', 'qwen3-asr.ts')],
      'qwen3-asr-onnx/graph-tools': [join(PROJECT, 'graph-tools', 'public.ts')],
      'qwen3-asr-onnx/evaluate': [join(PROJECT, 'pipeline', 'evaluate', 'evaluate.ts')],
    },
  },
  include: ['*.ts'],
  exclude: [],
}

describe('programs of the documentation', () => {
  it('compile', async () => {
    expect(blocks.length).toBeGreaterThan(3)
    await rm(FOLDER, { recursive: true, force: true })
    await mkdir(FOLDER, { recursive: true })
    await writeFile(join(FOLDER, 'tsconfig.json'), JSON.stringify(CONFIG))
    for (const { name, text } of blocks) await writeFile(join(FOLDER, name), text)
    const { stdout } = await execa('npx', ['tsc', '--noEmit', '-p', FOLDER], { cwd: PROJECT, reject: false })
    expect(stdout).toBe('')
  })
})
