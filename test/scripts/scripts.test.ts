// SPDX-License-Identifier: Apache-2.0

import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { describe, expect, it } from 'vitest'
import { PROJECT } from '../../eval/runtime/project.ts'
import { type Checkpoint, readCheckpoint } from '../../pipeline/checkpoint/checkpoint.ts'
import { canMask } from '../../scripts/masked-runtime.ts'
import { temporaryFolder } from '../helpers/folder.ts'

/** Processes that run side by side. */
const AT_ONCE = 4

function runScript(name: string, args: readonly string[]) {
  const script = join(PROJECT, 'scripts', `${name}.ts`)
  return execa(process.execPath, ['--import', import.meta.resolve('tsx'), script, ...args], { reject: false })
}

/** A tensor's first bytes. */
async function startOf({ folder, tensors }: Checkpoint, name: string): Promise<Buffer> {
  const { file = '', start = 0, end = 0 } = tensors[name] ?? {}
  const chunks = createReadStream(join(folder, file), { start, end: Math.min(end, start + 4096) - 1 })
  return Buffer.concat(await chunks.toArray())
}

describe('make-checkpoint', () => {
  it('makes checkpoints of published width that the pipeline accepts, with the same weights in both formats', async () => {
    const folder = await temporaryFolder()
    const make = async (format: string) => {
      const out = join(folder, format)
      const name = format === 'native' ? '--format' : '--layout' // which is older
      const args = ['--model', '0.6b', '--layers', '1', name, format, '--out', out]
      const { exitCode, stdout, stderr } = await runScript('make-checkpoint', args)
      expect(exitCode).toBe(0)
      expect(stderr).toBe(format === 'native' ? '' : '--layout is now --format; the older name will go.')
      expect(stdout).toContain(`0.6b with random weights, ${format} format`)
      return readCheckpoint(out)
    }
    const [native, original] = await Promise.all([make('native'), make('original')])
    expect(native.text_config).toMatchObject({ hidden_size: 1024, vocab_size: 151936, num_hidden_layers: 1 })
    expect(original.text_config).toEqual(native.text_config)
    expect(original.audio_config).toEqual(native.audio_config)
    const names = Object.keys(native.tensors)
    expect(Object.keys(original.tensors)).toEqual(names)
    for (const name of names) {
      const bytes = await startOf(native, name)
      expect(await startOf(original, name), name).toEqual(bytes)
      const isConstant = bytes.equals(Buffer.alloc(bytes.length, bytes.subarray(0, 2)))
      expect(isConstant, name).toBe(/norm\.weight$|ln_post\.weight$/.test(name))
    }
  })
})

describe('measure', () => {
  it('reports the peak of a whole process tree, and ends as the command does', async () => {
    // A parent and a child of 150 MB each, touched, for longer than the sampling interval.
    const hold = 'const held = Buffer.alloc(150e6, 1); setTimeout(() => process.exit(7), 2500)'
    const parent = `require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(hold)}]); ${hold}`
    const { exitCode, stdout } = await runScript('measure', [process.execPath, '-e', parent])
    expect(exitCode).toBe(7)
    const found =
      /peak of the process tree: (\d+) MiB PSS \((\d+) MiB anonymous, (\d+) processes\), \d+\.\d s/.exec(
        stdout,
      )
    const [total = 0, anonymous = 0, processes = 0] = found?.slice(1).map(Number) ?? []
    expect(anonymous).toBeGreaterThan(286)
    expect(total).toBeGreaterThanOrEqual(anonymous)
    expect(total).toBeLessThan(286 + 300)
    expect(processes).toBe(2)
  })
})

describe('kernels', () => {
  it('says which kernels there are, and runs a command with them that ends as it does', async () => {
    const program = 'process.exit(process.env.QWEN3_ASR_ONNX_RUNTIME ? 7 : 8)'
    const ended = await runScript('kernels', [canMask() ? 'avx2' : 'native', process.execPath, '-e', program])
    expect(ended.stdout).toBe(
      canMask()
        ? 'kernels: avx2; 8-bit products are saturating\n'
        : 'kernels: native; 8-bit products are exact\n',
    )
    expect(ended.exitCode).toBe(canMask() ? 7 : 8)
    const none = await runScript('kernels', ['native', 'no-such-program'])
    expect(none.stderr).toMatch(/^error: There is no program "no-such-program" on PATH\.\n/)
    expect(none.exitCode).toBe(2)
  })
})

describe('every script', () => {
  const cases: [string, string[], number, RegExp][] = [
    [
      'benchmarks',
      ['--help'],
      0,
      /^npm run bench -- NAME \[options\]\n[\s\S]* bench -- decode +The fused layout/,
    ],
    [
      'benchmarks',
      ['decode', '--help'],
      0,
      /^npm run bench -- decode \[--model-dir DIR\] \[options\]\n[\s\S]*--rounds/,
    ],
    [
      'benchmarks',
      [],
      2,
      /^error: Found no name of a benchmark\.\nhint: One of: graph, eval, decode, variants, peers, words, context, package, publish\./,
    ],
    [
      'benchmarks',
      ['constructor'],
      2,
      /^error: There is no benchmark "constructor"\.\nhint: One of: graph, eval/,
    ],
    [
      'benchmarks',
      ['variants', '--model-dir', '/nowhere'],
      2,
      /^error: --model-dir \/nowhere is not a folder\./,
    ],
    [
      'benchmarks',
      ['graph'],
      2,
      /^error: Missing required argument: exported\nhint: npm run bench -- graph --help/,
    ],
    [
      'benchmarks',
      ['package', '--model-dir', '/nowhere'],
      2,
      /^error: --model-dir \/nowhere is not a folder\./,
    ],
    [
      'benchmarks',
      ['eval', '--rounds', 'x'],
      2,
      /^error: --rounds is not a number, wanted a whole number above 0\./,
    ],
    ['check-python', ['--help'], 0, /^npm run check -- \[--fix\]\n/],
    ['check-python', ['--wat'], 2, /^error: Unknown argument: wat\n/],
    ['check-style', ['--help'], 0, /^npm run check --/],
    ['check-style', ['--wat'], 2, /^error: Unknown argument: wat\n/],
    ['release-changelog', ['--help'], 0, /^node --import tsx scripts\/release-changelog\.ts \[options\]\n/],
    ['build-dist', ['--help'], 0, /^npm run build -- \[options\]\n/],
    ['repository-field', ['--wat'], 2, /^error: Unknown argument: wat\n/],
    ['make-schemas', ['--help'], 0, /^npm run schemas -- \[options\]\n/],
    ['measure', ['--help'], 0, /^npm run measure -- COMMAND \[ARG \.\.\.\]\n/],
    ['measure', [], 2, /^error: Found no command to measure\.\nhint: Usage: npm run measure -- COMMAND/],
    ['measure', ['no-such-program'], 2, /^error: There is no program "no-such-program" on PATH\.\n/],
    ['kernels', ['--help'], 0, /^npm run kernels -- KERNELS COMMAND \[ARG \.\.\.\]\n/],
    ['kernels', [], 2, /^error: Found no kernels and no command\.\nhint: Usage: npm run kernels -- KERNELS/],
    [
      'kernels',
      ['sse2', 'ls'],
      2,
      /^error: There are no kernels "sse2"\.\nhint: One of: native, avx2, avx512\./,
    ],
    ['kernels', ['avx2'], 2, /^error: Found no command to run\.\n/],
    ['make-twin', ['--help'], 0, /^npm run make-twin -- --out DIR \[options\]\n/],
    ['make-twin', [], 2, /^error: Missing required argument: out\n/],
    ['make-checkpoint', ['--help'], 0, /^npm run make-checkpoint -- --model MODEL --out DIR \[options\]\n/],
    [
      'make-checkpoint',
      ['--model', '7b', '--out', '/nowhere/x'],
      2,
      /Given: "7b", Choices: "0\.6b", "1\.7b"/,
    ],
    [
      'make-checkpoint',
      ['--model', '0.6b', '--layers', '0', '--out', '/nowhere/x'],
      2,
      /^error: --layers is 0, wanted a whole number above 0\.\n/,
    ],
  ]

  it('has --help, and says in a sentence what is wrong with its arguments', async () => {
    for (let at = 0; at < cases.length; at += AT_ONCE) {
      const some = cases.slice(at, at + AT_ONCE)
      const ended = await Promise.all(some.map(([name, args]) => runScript(name, args)))
      for (const [i, [name, args, exitCode, said]] of some.entries()) {
        const { stdout = '', stderr = '', exitCode: found } = ended[i] ?? {}
        expect(exitCode === 0 ? stdout : stderr, `${name} ${args.join(' ')}`).toMatch(said)
        expect(exitCode === 0 ? stderr : stdout).toBe('')
        expect(found).toBe(exitCode)
      }
    }
  })

  it('and every command of package.json is named here or is a tool', async () => {
    const { scripts } = JSON.parse(await readFile(join(PROJECT, 'package.json'), 'utf8'))
    const own = Object.values<string>(scripts).flatMap(
      (line) => /tsx scripts\/(\S+)\.ts/.exec(line)?.[1] ?? [],
    )
    expect(new Set(own)).toEqual(new Set(cases.map(([name]) => name)))
  })
})
