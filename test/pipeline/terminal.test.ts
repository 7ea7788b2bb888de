// SPDX-License-Identifier: Apache-2.0

import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeOriginalLayout } from '../helpers/checkpoint.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { sharedReleases } from '../helpers/prepared.ts'
import { runInTerminal, type TerminalRun } from '../helpers/terminal.ts'

const NAME = 'qwen3-asr-tiny'
const LONGEST_RUN_MS = 600_000

let root = ''
let output = ''
let checkpoint = ''
let run: TerminalRun
/** Every line that was on the screen for a moment. */
const seen = new Set<string>()

async function processesOf(...folders: readonly string[]): Promise<string[]> {
  const { stdout } = await execa('ps', ['-eo', 'args'])
  return stdout.split('\n').filter((line) => folders.some((folder) => line.includes(folder)))
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'qwen3-asr-onnx-terminal-'))
  output = join(root, 'out')
  checkpoint = await makeOriginalLayout(root)
  const args = ['--model', checkpoint, '--name', NAME, '--output', output, '--until', 'quantize']
  run = await runInTerminal([...args, '--threads', '1'], {
    columns: 160,
    onScreen: (lines) => {
      for (const line of lines) seen.add(line)
    },
  })
}, LONGEST_RUN_MS)

afterAll(() => rm(root, { recursive: true, force: true }))

describe('the live view on a terminal', () => {
  it('redraws one line a stage with time and progress', () => {
    expect(run.exitCode).toBe(0)
    expect(run.screen[0]).toBe(`${checkpoint} -> ${join(output, NAME)}`)
    const time = String.raw`(\d+\.\d s|\d+ min \d\d s)`
    const lines = run.screen.filter((line) => /^([^ ] |Done)/.test(line))
    expect(lines).toEqual([
      expect.stringMatching(new RegExp(`^\\+ export {4}${time}$`)),
      expect.stringMatching(new RegExp(`^\\+ rewrite {3}${time}$`)),
      expect.stringMatching(new RegExp(`^\\+ quantize {2}${time}$`)),
      expect.stringMatching(new RegExp(`^Done in ${time}\\. The model is in `)),
    ])
    const shown = [...seen].join('\n')
    expect(shown).toMatch(/^[-\\|/] export {4}\d+\.\d s +.*encoder graph: 0 of 1 graphs \(0 %\)/m)
    expect(shown).toMatch(/^ {2}rewrite$/m) // waiting
    // Redrawn, not repeated: one line for each stage is left.
    expect(run.screen.filter((line) => /^. (export|rewrite|quantize) /.test(line)).length).toBe(3)
  })

  it('Ctrl-C stops everything and says how to continue', async () => {
    // A release of which everything up to the quantized graphs is there.
    const other = await temporaryFolder()
    await execa('cp', ['-a', join(await sharedReleases(), NAME), other]) // with times to the nanosecond, as stamps want
    await rm(join(other, NAME, '.work', 'stamps', 'validate.json'))
    let pressed = false
    const stopped = await runInTerminal(['--model', 'tiny', '--output', other], {
      columns: 60,
      onScreen: (lines, press) => {
        if (pressed || !lines.some((line) => /^[-\\|/] validate .*reference: \d+ of \d+ clips/.test(line)))
          return
        pressed = true
        press('\u0003')
      },
    })
    expect(stopped.exitCode).toBe(130)
    expect(stopped.screen).toEqual(
      expect.arrayContaining([
        '= export    unchanged',
        '= rewrite   unchanged',
        expect.stringMatching(/^x validate {2}\d+\.\d s/),
        '  package',
        'error: Stopped.',
        'hint: Run the same command again: finished stages are kept.',
      ]),
    )
    expect(await processesOf(output, other)).toEqual([])
  })
})

describe('the original checkpoint layout, in another directory', () => {
  it('gives byte-identical ONNX files, and the same tokens', async () => {
    const shared = join(await sharedReleases(), NAME)
    const names = (await readdir(shared)).filter((name) => /\.(onnx|data|bin)$/.test(name))
    expect(names.length).toBe(12)
    for (const name of names) {
      const [a, b] = await Promise.all([readFile(join(shared, name)), readFile(join(output, NAME, name))])
      expect(a.equals(b), `${name} differs`).toBe(true)
    }
    const tokens = async (folder: string) => {
      const { model: bpe, added_tokens: added } = JSON.parse(
        await readFile(join(folder, 'tokenizer.json'), 'utf8'),
      )
      return {
        merges: bpe.merges,
        added: added.map(({ id, content }: { id: number; content: string }) => [id, content]),
      }
    }
    expect(await tokens(join(output, NAME))).toEqual(await tokens(shared))
  })
})
