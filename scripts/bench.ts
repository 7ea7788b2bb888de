// SPDX-License-Identifier: Apache-2.0

import { cp, link, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import os from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { PROJECT } from '../eval/runtime/project.ts'
import { rewriteInPlace } from '../graph-tools/apply.ts'
import { findEmbedding } from '../graph-tools/embedding-table.ts'
import { inlineWeights } from '../graph-tools/externalize.ts'
import { openModel, type Tensor } from '../graph-tools/model.ts'
import { type Place, placeWeights } from '../graph-tools/place.ts'
import { shareWeights } from '../graph-tools/share.ts'
import { type CommandLine, number, text } from '../pipeline/commands/arguments.ts'
import { EXIT } from '../pipeline/shared/failure.ts'
import { tableLines } from '../pipeline/shared/text-table.ts'
import { median } from './median.ts'
import { script } from './run-script.ts'
import { watchMemory } from './tree-memory.ts'

/*
 * The graph tools against the same jobs done with Python's onnx and numpy, in one run, alternating:
 *   npm run bench -- graph --exported output/qwen3-asr-0.6b/.work/export
 * where the export is that of a pipeline run with --until export. Each job runs in a separate process; medians of the job
 * alone and of the whole process. The page cache is warm for both; the graph tools also fsync what they write, Python does not.
 */

const PYTHON = join(PROJECT, '.venv', 'bin', 'python')

const LINE: CommandLine = {
  command: 'npm run bench -- graph',
  usage: '--exported DIR [options]',
  about: 'Measure the graph tools against the same jobs in Python.',
}

const OPTIONS = {
  exported: { ...text('folder of an export at full size'), demandOption: true },
  rounds: { ...number('of which the medians are'), default: 3 },
  work: { ...text('where the copies go'), default: os.tmpdir() },
} as const

interface Job {
  readonly name: string
  /** what bench-job.ts and bench_graph.py call it */
  readonly job: 'share' | 'strip-allowzero' | 'embed-fp16'
  /** times faster than Python that it must be */
  readonly target: number
  /** graphs, and the data files they read */
  readonly files: readonly string[]
  readonly data: readonly string[]
}

const JOBS: readonly Job[] = [
  {
    name: 'share',
    job: 'share',
    target: 3,
    files: ['decoder_init.onnx', 'decoder_step.onnx'],
    data: ['decoder_init.data', 'decoder_step.data'],
  },
  {
    name: 'share of inline weights',
    job: 'share',
    target: 1, // both only move bytes to the disk
    files: ['encoder.onnx', 'encoder.copy.onnx'],
    data: [],
  },
  { name: 'strip-allowzero', job: 'strip-allowzero', target: 10, files: ['encoder.onnx'], data: [] },
  {
    name: 'embed-fp16',
    job: 'embed-fp16',
    target: 1,
    files: ['embed.onnx'],
    data: ['table.data', 'decoder.data'],
  },
]

interface Measured {
  /** seconds of the job alone, and of the whole process with its start and imports */
  readonly job: number
  readonly whole: number
  readonly mib: number
}

/** The benchmark `npm run bench -- graph`. */
export const run = script(LINE, OPTIONS, async ({ exported, rounds, work }) => {
  const root = await mkdtemp(join(work, 'qwen3-asr-onnx-bench-'))
  try {
    const inputs = await prepare(exported, join(root, 'inputs'))
    const rows: string[][] = []
    for (const job of JOBS) rows.push(await compared(job, rounds, inputs, join(root, 'run')))
    const columns = ['job', 'ours', 'Python', 'faster', 'wanted', 'process', 'of Python', 'peak', 'of Python']
    process.stdout.write(`${tableLines(columns, rows).join('\n')}\n\n  ${describe(rounds)}\n`)
  } finally {
    await rm(root, { recursive: true, force: true })
  }
  return EXIT.done
})

/** One job done by both in turn, as a row. */
async function compared(job: Job, rounds: number, inputs: string, folder: string): Promise<string[]> {
  const ours: Measured[] = []
  const theirs: Measured[] = []
  for (let round = 0; round < rounds; round++) {
    ours.push(await measured(job, inputs, folder, graphCommand))
    theirs.push(await measured(job, inputs, folder, pythonCommand))
  }
  const middle = (runs: Measured[], key: 'job' | 'whole') => median(runs.map((run) => run[key]))
  const peak = (runs: Measured[]) => `${Math.max(...runs.map(({ mib }) => mib))} MiB`
  const seconds = (value: number) => `${value.toFixed(2)} s`
  const [a, b] = [middle(ours, 'job'), middle(theirs, 'job')]
  const [c, d] = [middle(ours, 'whole'), middle(theirs, 'whole')]
  return [
    job.name,
    ...[seconds(a), seconds(b), `${(b / a).toFixed(1)} x`, `${job.target} x`],
    ...[seconds(c), seconds(d), peak(ours), peak(theirs)],
  ]
}

/** Decoders with a data file each, the encoder with its weights inside, a decoder_init whose table has its own file. */
async function prepare(exported: string, folder: string): Promise<string> {
  await mkdir(folder, { recursive: true })
  for (const name of await readdir(exported))
    await link(join(exported, name), join(folder, name)).catch(() =>
      cp(join(exported, name), join(folder, name)),
    )
  const open = (name: string) => openModel(join(folder, name))
  await cp(join(folder, 'decoder_init.onnx'), join(folder, 'embed.onnx'))
  const embed = open('embed.onnx')
  const table = findEmbedding(embed)?.tensor
  const own = (tensor: Tensor): Place => (tensor === table ? { location: 'table.data' } : 'stay')
  await rewriteInPlace([embed], await placeWeights([embed], own, { folder }))
  for (const name of ['decoder_init', 'decoder_step']) {
    const model = open(`${name}.onnx`)
    await rewriteInPlace(
      [model],
      await shareWeights([model], { folder, location: `${name}.data`, minimum: 1 }),
    )
  }
  const encoder = open('encoder.onnx')
  await rewriteInPlace([encoder], await inlineWeights(encoder))
  await cp(join(folder, 'encoder.onnx'), join(folder, 'encoder.copy.onnx'))
  return folder
}

type Program = readonly [program: string, args: readonly string[]]

function graphCommand({ job, files }: Job, folder: string): Program {
  const script = join(PROJECT, 'scripts', 'bench-job.ts')
  const paths = files.map((file) => join(folder, file))
  return [process.execPath, ['--import', import.meta.resolve('tsx'), script, job, ...paths]]
}

function pythonCommand({ job, files }: Job, folder: string, out: string): Program {
  const paths = files.map((file) => join(folder, file))
  return [PYTHON, [join(PROJECT, 'python', 'bench', 'bench_graph.py'), job, out, ...paths]]
}

/**
 * One run. The graph tools change a folder in place, so they get one of their own: links of data files, copies of graphs.
 * Python reads the inputs and writes elsewhere.
 */
async function measured(
  job: Job,
  inputs: string,
  folder: string,
  command: typeof pythonCommand,
): Promise<Measured> {
  await mkdir(folder)
  const isPython = command === pythonCommand
  if (!isPython) {
    for (const name of job.files) await cp(join(inputs, name), join(folder, name))
    for (const name of job.data) await link(join(inputs, name), join(folder, name))
  }
  const [program, args] = command(job, isPython ? inputs : folder, join(folder, 'out'))
  const started = performance.now()
  const child = execa(program, args)
  const memory = watchMemory(child.pid ?? 0)
  const { stdout } = await child
  const whole = (performance.now() - started) / 1000
  const mib = Math.round(memory().total / 1024)
  await rm(folder, { recursive: true })
  return { job: Number(stdout), whole, mib }
}

function describe(rounds: number): string {
  const cpu = os.cpus()[0]?.model ?? 'unknown CPU'
  return `medians of ${rounds}, ${cpu}, ${os.availableParallelism()} cores, Node ${process.versions.node}, warm page cache`
}
