// SPDX-License-Identifier: Apache-2.0

import { mkdtemp, rm, stat } from 'node:fs/promises'
import os from 'node:os'
import { basename, join } from 'node:path'
import { execa } from 'execa'
import { PROJECT } from '../eval/runtime/project.ts'
import { type CommandLine, number, oneOf, text } from '../pipeline/commands/arguments.ts'
import { EXIT } from '../pipeline/shared/failure.ts'
import { formatBytes } from '../pipeline/shared/output-files.ts'
import { tableLines } from '../pipeline/shared/text-table.ts'
import { VARIANT_NAMES, variantFiles } from '../pipeline/variants.ts'
import { median } from './median.ts'
import { script } from './run-script.ts'
import { watchMemory } from './tree-memory.ts'

/*
 * The archives of a release against tar | gzip -1 and tar | pigz on the same files, in one run, alternating:
 *   npm run bench -- package --model-dir output/qwen3-asr-0.6b
 * Whole processes, medians, warm page cache. pigz has to be on PATH (Debian: apt-get install pigz).
 */

const LINE: CommandLine = {
  command: 'npm run bench -- package',
  usage: '--model-dir DIR [options]',
  about: 'Measure the archives of a release against tar | gzip and tar | pigz.',
}

const OPTIONS = {
  'model-dir': { ...text('a model directory at full size'), demandOption: true },
  variant: { ...oneOf(VARIANT_NAMES, 'which archive'), default: 'int4' },
  rounds: { ...number('of which the medians are'), default: 3 },
  work: { ...text('where the archives go'), default: os.tmpdir() },
} as const

/** The files of one variant. */
interface Input {
  readonly folder: string
  readonly names: readonly string[]
}

interface Contender {
  readonly name: string
  command(input: Input, out: string): readonly [program: string, args: readonly string[]]
}

const ours = (level: number): Contender => ({
  name: `package --level ${level}`,
  command({ folder, names }, out) {
    const job = join(PROJECT, 'scripts', 'bench-package-job.ts')
    const files = names.map((name) => join(folder, name))
    return [process.execPath, ['--import', import.meta.resolve('tsx'), job, out, String(level), ...files]]
  },
})

const piped = (compressor: string): Contender => ({
  name: `tar | ${compressor}`,
  command({ folder, names }, out) {
    const line = `tar -C "$0" -cf - "\${@:2}" | ${compressor} > "$1"`
    return ['bash', ['-o', 'pipefail', '-c', line, folder, out, ...names]]
  },
})

const CONTENDERS = [ours(1), piped('gzip -1'), piped('pigz -1'), ours(6), piped('pigz -6')]

interface Measured {
  readonly seconds: number
  readonly bytes: number
  readonly mib: number
}

/** The benchmark `npm run bench -- package`. */
export const run = script(LINE, OPTIONS, async ({ modelDir, variant, rounds, work }) => {
  const input: Input = { folder: modelDir, names: variantFiles(variant, { prefillInt8: true }) }
  const sizes = await Promise.all(input.names.map(async (name) => (await stat(join(modelDir, name))).size))
  const total = sizes.reduce((sum, size) => sum + size, 0)
  const root = await mkdtemp(join(work, 'qwen3-asr-onnx-bench-'))
  try {
    const found = new Map<string, Measured[]>(CONTENDERS.map(({ name }) => [name, []]))
    for (let round = 0; round < rounds; round++)
      for (const contender of CONTENDERS)
        found.get(contender.name)?.push(await measure(contender, input, join(root, 'out.tar.gz')))
    const rows = [...found].map(([name, runs]) => rowOf(name, runs, total))
    const columns = ['compressor', 'time', 'of input', 'archive', 'peak']
    const what = `${basename(modelDir)}, ${variant}, ${formatBytes(total)}; medians of ${rounds}`
    process.stdout.write(`${tableLines(columns, rows).join('\n')}\n\n  ${what}, ${machine()}\n`)
  } finally {
    await rm(root, { recursive: true, force: true })
  }
  return EXIT.done
})

function rowOf(name: string, runs: readonly Measured[], total: number): string[] {
  const seconds = median(runs.map((run) => run.seconds))
  return [
    ...[name, `${seconds.toFixed(1)} s`, `${formatBytes(total / seconds)}/s`],
    ...[formatBytes(runs[0]?.bytes ?? 0), `${Math.max(...runs.map(({ mib }) => mib))} MiB`],
  ]
}

async function measure(contender: Contender, input: Input, out: string): Promise<Measured> {
  const [program, args] = contender.command(input, out)
  const started = performance.now()
  const child = execa(program, args)
  const memory = watchMemory(child.pid ?? 0)
  await child
  const seconds = (performance.now() - started) / 1000
  const mib = Math.round(memory().total / 1024)
  const { size } = await stat(out)
  await rm(out)
  return { seconds, bytes: size, mib }
}

function machine(): string {
  const cpu = os.cpus()[0]?.model ?? 'unknown CPU'
  return `${cpu}, ${os.availableParallelism()} cores, Node ${process.versions.node}, warm page cache`
}
