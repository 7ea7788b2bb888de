// SPDX-License-Identifier: Apache-2.0

import { readFile, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { execa } from 'execa'
import type * as v from 'valibot'
import '../eval/runtime/no-telemetry.ts' // inherited by the scripts that are measured
import { describeMachine } from '../eval/machine.ts'
import { PROJECT } from '../eval/runtime/project.ts'
import { number as figure, type Parsed, shape } from '../eval/runtime/schema.ts'
import { identifySources } from '../eval/sources.ts'
import { type CommandLine, flag, number, SHARED, text } from '../pipeline/commands/arguments.ts'
import { checkedText } from '../pipeline/shared/checked.ts'
import { EXIT } from '../pipeline/shared/failure.ts'
import { tableLines } from '../pipeline/shared/text-table.ts'
import type { DecodeJob, Utterance } from './bench-decode-job.ts'
import {
  decodeInNode,
  STEPS_RESULT,
  type StepResult,
  UTTERANCE_RESULTS,
  type UtteranceResult,
  WHOLE_RESULT,
} from './decode-process.ts'
import { median } from './median.ts'
import { encoderMacs, prefillMacs, type ReleaseSizes, readSizes, stepBytes } from './model-work.ts'
import { script } from './run-script.ts'

/*
 * The fused layout against the split one, in onnxruntime-node and in Python's onnxruntime, in one run:
 *   npm run bench -- decode --model-dir output/qwen3-asr-0.6b
 * Every figure is a median over rounds in which the sides alternate, each in a separate process. The Python side runs what
 * older exports are: the split layout with logits at every prompt position, made from the same checkpoint on first use.
 */

const LINE: CommandLine = {
  command: 'npm run bench -- decode',
  usage: '[--model-dir DIR] [options]',
  about: 'Measure the fused layout against the split one.',
}

const OPTIONS = {
  'model-dir': {
    ...text('release directory at full size; weights may be random'),
    default: join(PROJECT, 'output', 'qwen3-asr-0.6b'),
    defaultDescription: 'output/qwen3-asr-0.6b',
  },
  utterances: flag('whole utterances too, also in Python, for which the checkpoint is needed once', true),
  rounds: { ...number('of which the medians are'), default: 5 },
  threads: { ...SHARED.threads, default: 2 },
} as const

const PYTHON = join(PROJECT, '.venv', 'bin', 'python')
const DEFAULT_QUANTIZATION = 'round-to-nearest, block 64, asymmetric, accuracy level 4'
const PASTS = [64, 256, 512]
const BATCHES = [1, 2, 4, 8, 16]
const STEPS = 15
const FRAMES_A_SECOND = 100
/** How much faster than Python's split layout the whole, or the decoder alone, must be. */
const UTTERANCES = [
  { seconds: 11, newTokens: 30, of: 'all', wanted: 1.25 },
  { seconds: 35, newTokens: 120, of: 'decoder', wanted: 1.8 },
] as const
const FASTER_AT_512 = 4
const SLOWER_THAN_AT_64 = 1.25
const BATCH_OF_8 = 0.5
const LOADED_BYTES = 1.1e9

/** Ways to decode in Node; the last one is the runtime's own choice. */
const SIDES = [
  { name: 'split', layout: 'split', prefill: 'same' },
  { name: 'fused, prompts as steps', layout: 'fused', prefill: 'same' },
  { name: 'fused', layout: 'fused', prefill: 'int8' },
] as const
type Side = (typeof SIDES)[number]

const VARIANT = 'int4'

const FLOORS = shape({ bytes: figure, float32: figure, int8: figure })
interface Bench {
  readonly modelDir: string
  readonly threads: number
  readonly rounds: number
  readonly sizes: ReleaseSizes
  /** what this machine can do: bytes and multiply-adds a second */
  readonly floors: Parsed<typeof FLOORS>
  /** targets that were missed */
  readonly missed: string[]
}

/** The benchmark `npm run bench -- decode`: fails when a target is missed. */
export const run = script(LINE, OPTIONS, async ({ modelDir, threads, rounds, utterances }) => {
  const sizes = await readSizes(modelDir, VARIANT)
  const floors = await python(FLOORS, ['floors', '--threads', `${threads}`])
  const bench: Bench = { modelDir, threads, rounds, sizes, floors, missed: [] }
  await printSteps(bench)
  if (utterances) await printUtterances(bench)
  printMachine(bench)
  return bench.missed.length > 0 ? EXIT.failed : EXIT.done
})

async function printSteps(bench: Bench): Promise<void> {
  const { rounds, sizes, floors } = bench
  const results = SIDES.map((): StepResult[] => [])
  for (let round = 0; round < rounds; round++) {
    for (const [i, side] of SIDES.entries()) {
      const batches = side.name === 'fused' ? BATCHES : []
      const job = jobOf(bench, side, { measure: 'steps', batches, utterances: [] })
      results[i]?.push(await decodeInNode(STEPS_RESULT, job))
    }
  }
  const resultsOf = (name: Side['name']) => results[SIDES.findIndex((side) => side.name === name)] ?? []
  const step = (name: Side['name'], i: number) => median(resultsOf(name).map(({ steps }) => steps[i]))
  const first = step('fused', 0)
  const rows = PASTS.map((past, i) => {
    const [split, fused] = [step('split', i), step('fused', i)]
    const floor = stepBytes(sizes, past) / floors.bytes
    return [
      `${past}`,
      ms(split),
      ms(fused),
      times(split / fused),
      times(fused / first),
      ms(floor),
      percent(floor / fused),
    ]
  })
  print('One step', ['past tokens', 'split', 'fused', 'faster', 'of fused at 64', 'floor', 'of fused'], rows)
  const last = PASTS.length - 1
  const [few, many] = [PASTS[0] ?? 0, PASTS[last] ?? 0]
  const bytes = stepBytes(sizes, many) / stepBytes(sizes, few)
  process.stdout.write(`  bytes that a step must read, at ${many} / at ${few}: ${bytes.toFixed(2)}\n`)
  gate(
    bench,
    step('split', last) / step('fused', last),
    'at least',
    FASTER_AT_512,
    'step at 512, split / fused',
  )
  gate(bench, step('fused', last) / first, 'at most', SLOWER_THAN_AT_64, 'fused step at 512 / at 64')
  printBatches(bench, resultsOf('fused'))
  printMemory(bench, results)
}

function printBatches(bench: Bench, fused: readonly StepResult[]): void {
  const batch = (i: number) => median(fused.map(({ batches }) => batches[i]))
  const rows = BATCHES.map((size, i) => [`${size}`, ms(batch(i)), times(batch(i) / batch(0))])
  print(`One step of a batch at ${PASTS[0]} past tokens`, ['sequences', 'a sequence', 'of one alone'], rows)
  gate(bench, batch(BATCHES.indexOf(8)) / batch(0), 'at most', BATCH_OF_8, 'a sequence of 8 / one alone')
}

function printMemory(bench: Bench, results: readonly (readonly StepResult[])[]): void {
  const of = (side: number, when: 'loaded' | 'used') =>
    median((results[side] ?? []).map((result) => result[when]))
  const rows = SIDES.map(({ name }, i) => [name, mb(of(i, 'loaded')), mb(of(i, 'used'))])
  print('Resident memory of a process with the decoder alone', ['side', 'loaded', 'after 512 tokens'], rows)
  if (basename(bench.modelDir).includes('0.6b'))
    gate(bench, of(SIDES.length - 1, 'loaded'), 'at most', LOADED_BYTES, 'bytes of the loaded fused decoder')
}

async function printUtterances(bench: Bench): Promise<void> {
  const { modelDir, threads, rounds } = bench
  const utterances = UTTERANCES.map(
    ({ seconds, newTokens }): Utterance => ({ frames: seconds * FRAMES_A_SECOND, newTokens }),
  )
  const init = await legacyInit(modelDir)
  const pairs = JSON.stringify(utterances.map(({ frames, newTokens }) => [frames, newTokens]))
  const legacy = [
    'run',
    '--model',
    modelDir,
    '--init',
    init,
    '--threads',
    `${threads}`,
    '--utterances',
    pairs,
  ]
  const sides = [
    {
      name: 'split, logits everywhere, Python',
      run: async () => (await python(shape({ utterances: UTTERANCE_RESULTS }), legacy)).utterances,
    },
    ...SIDES.map((side) => ({
      name: `${side.name}, Node`,
      async run() {
        const job = jobOf(bench, side, { measure: 'utterances', batches: [], utterances })
        return (await decodeInNode(WHOLE_RESULT, job)).utterances
      },
    })),
  ]
  const results = sides.map((): (readonly UtteranceResult[])[] => [])
  for (let round = 0; round < rounds; round++)
    for (const [i, { run }] of sides.entries()) results[i]?.push(await run())
  for (const [u, utterance] of UTTERANCES.entries()) {
    const parts = results.map((all) => medianParts(all.map((round) => round[u] as UtteranceResult)))
    printUtterance(
      bench,
      utterance,
      sides.map(({ name }) => name),
      parts,
    )
    printStages(bench, utterance, parts.at(-1) as UtteranceResult)
  }
}

function printUtterance(
  bench: Bench,
  { seconds, newTokens, of, wanted }: (typeof UTTERANCES)[number],
  names: readonly string[],
  parts: readonly UtteranceResult[],
): void {
  const [baseline] = parts as [UtteranceResult]
  const rows = parts.map((part, i) => [
    names[i] ?? '',
    ...[part.encoder, part.prefill, part.decode, totalOf(part)].map(ms),
    times(totalOf(baseline) / totalOf(part)),
    times(decoderOf(baseline) / decoderOf(part)),
  ])
  const columns = ['side', 'encoder', 'prefill', 'decode', 'all', 'faster', 'decoder alone']
  print(`${seconds} s of audio, ${newTokens} new tokens`, columns, rows)
  const fused = parts.at(-1) as UtteranceResult
  const found = of === 'all' ? totalOf(baseline) / totalOf(fused) : decoderOf(baseline) / decoderOf(fused)
  gate(
    bench,
    found,
    'at least',
    wanted,
    `${seconds} s, ${of === 'all' ? 'all' : 'decoder alone'}, Python / fused`,
  )
}

/** How far each stage is from what this machine can do, and what share of the whole time that is. */
function printStages(
  { sizes, floors }: Bench,
  { seconds, newTokens }: (typeof UTTERANCES)[number],
  fused: UtteranceResult,
): void {
  const frames = seconds * FRAMES_A_SECOND
  const { stem, layers } = encoderMacs(sizes, frames)
  const positions = 13 * Math.floor(frames / 100) + 15
  const middle = positions + newTokens / 2
  const prefill = prefillMacs(sizes, positions)
  const stages = [
    {
      name: 'encoder',
      time: fused.encoder,
      float32: (stem + layers) / floors.float32,
      int8: (stem + layers) / floors.int8,
    },
    { name: 'prefill', time: fused.prefill, float32: prefill / floors.float32, int8: prefill / floors.int8 },
    { name: 'decode', time: fused.decode, memory: (newTokens * stepBytes(sizes, middle)) / floors.bytes },
  ]
  const rows = stages.map(({ name, time, float32, int8, memory }) => {
    const lowest = memory ?? int8 ?? Number.NaN
    return [
      name,
      ms(time),
      percent(time / totalOf(fused)),
      ...[float32, int8, memory].map((floor) => (floor === undefined ? '-' : ms(floor))),
      percent(lowest / time),
      percent((time - lowest) / totalOf(fused)),
    ]
  })
  const columns = [
    'stage',
    'time',
    'of all',
    'float32 floor',
    'int8 floor',
    'memory floor',
    'lowest is',
    'to gain, of all',
  ]
  print(`Fused, ${seconds} s: from the floor`, columns, rows)
}

/** decoder_init as older exports have it, quantized by default settings as the release must be; kept while nothing changes. */
async function legacyInit(modelDir: string): Promise<string> {
  const config = await readFile(join(modelDir, 'config.json'), 'utf8')
  if (!config.includes(DEFAULT_QUANTIZATION))
    throw new Error(`${modelDir} is not quantized as the baseline: ${DEFAULT_QUANTIZATION}.`)
  const checkpoint = join(modelDir, '.work', 'checkpoint.json')
  const made = {
    checkpoint: await readFile(checkpoint, 'utf8'),
    sources: await identifySources(['python/bench/bench_decode.py']),
  }
  const folder = join(PROJECT, 'output', 'bench', basename(modelDir))
  const [file, stamp] = [join(folder, 'decoder_init.int4.onnx'), join(folder, 'made-of.json')]
  if ((await readFile(stamp, 'utf8').catch(() => '')) === JSON.stringify(made)) return file
  process.stderr.write('Exporting decoder_init with logits at every position: a few minutes, once\n')
  await rm(folder, { recursive: true, force: true })
  await python(shape({}), ['prepare', '--checkpoint', checkpoint, '--out', folder])
  await writeFile(stamp, JSON.stringify(made))
  return file
}

function jobOf(
  { modelDir, threads }: Bench,
  { layout, prefill }: Side,
  job: Pick<DecodeJob, 'measure' | 'batches' | 'utterances'>,
): DecodeJob {
  return {
    ...{ folder: modelDir, variant: VARIANT, threads, layout, prefill, pasts: PASTS, steps: STEPS },
    ...job,
  }
}

/** @param schema of the last event, the result */
async function python<Schema extends v.GenericSchema>(
  schema: Schema,
  args: readonly string[],
): Promise<Parsed<Schema>> {
  const file = 'bench_decode.py'
  const script = join(PROJECT, 'python', 'bench', file)
  const { stdout } = await execa(PYTHON, [script, ...args], {
    stderr: 'inherit',
  })
  const last = stdout.trimEnd().split('\n').at(-1) ?? ''
  return checkedText(schema, last, { file: `What ${file} prints`, hint: '' })
}

function gate(
  { missed }: Bench,
  found: number,
  relation: 'at least' | 'at most',
  wanted: number,
  what: string,
): void {
  const holds = relation === 'at least' ? found >= wanted : found <= wanted
  const [a, b] = [found, wanted].map((value) => (value > 1e6 ? mb(value) : value.toFixed(2)))
  process.stdout.write(`  ${holds ? 'holds' : 'MISSED'}: ${what} is ${a}, wanted ${relation} ${b}\n`)
  if (!holds) missed.push(what)
}

function printMachine({ modelDir, threads, rounds, floors, missed }: Bench): void {
  const { cpu, cores, features, node: version, onnxruntime } = describeMachine(threads)
  const rate = (value: number) => `${(value / 1e9).toFixed(1)} G/s`
  process.stdout.write(
    `\n  ${basename(modelDir)}, variant ${VARIANT}, ${threads} threads, medians of ${rounds} rounds; ${cpu} (${features.join(', ')}), ` +
      `${cores} cores, Node ${version}, onnxruntime ${onnxruntime}\n` +
      `  floors measured here: ${rate(floors.bytes)} bytes from memory, ${rate(floors.float32)} multiply-adds in float32, ${rate(floors.int8)} in int8\n`,
  )
  if (missed.length > 0) process.stdout.write(`  MISSED: ${missed.join('; ')}\n`)
}

function medianParts(results: readonly UtteranceResult[]): UtteranceResult {
  const part = (name: keyof UtteranceResult) => median(results.map((result) => result[name]))
  return { encoder: part('encoder'), prefill: part('prefill'), decode: part('decode') }
}

function decoderOf({ prefill, decode }: UtteranceResult): number {
  return prefill + decode
}

function totalOf(parts: UtteranceResult): number {
  return parts.encoder + decoderOf(parts)
}

function ms(seconds: number): string {
  return `${(1000 * seconds).toFixed(seconds < 0.1 ? 1 : 0)} ms`
}

function mb(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`
}

function times(ratio: number): string {
  return `${ratio.toFixed(2)} x`
}

function percent(share: number): string {
  return `${(100 * share).toFixed(0)} %`
}

function print(title: string, columns: string[], rows: string[][]): void {
  process.stdout.write(`\n${title}\n${tableLines(columns, rows).join('\n')}\n`)
}
