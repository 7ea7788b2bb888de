// SPDX-License-Identifier: Apache-2.0

import { basename, join } from 'node:path'
import { describeMachine } from '../eval/machine.ts'
import { milliseconds } from '../eval/report/number-text.ts'
import { usualCache } from '../eval/runtime/load-cache.ts'
import { PROJECT } from '../eval/runtime/project.ts'
import type { PromptInput } from '../eval/runtime/prompt.ts'
import {
  encode,
  loadRecognizer,
  promptOf,
  type Recognizer,
  releaseRecognizer,
} from '../eval/runtime/recognizer.ts'
import { openRelease } from '../eval/runtime/release.ts'
import { type CommandLine, number, SHARED, text } from '../pipeline/commands/arguments.ts'
import { EXIT } from '../pipeline/shared/failure.ts'
import { tableLines } from '../pipeline/shared/text-table.ts'
import { median } from './median.ts'
import { script } from './run-script.ts'

/*
 * What a context costs each piece of a recording:
 *   npm run bench -- context --model-dir output/qwen3-asr-0.6b
 * Prompts with its keys and values kept, and computed whole, alternating, in one process.
 */

const LINE: CommandLine = {
  command: 'npm run bench -- context',
  usage: '[--model-dir DIR] [options]',
  about: 'Time prompts with a context whose keys and values are kept, and without keeping them.',
}

const OPTIONS = {
  'model-dir': {
    ...text('release directory at full size; weights may be random'),
    default: join(PROJECT, 'output', 'qwen3-asr-0.6b'),
    defaultDescription: 'output/qwen3-asr-0.6b',
  },
  variant: text('variant; int4 where there is one'),
  rounds: { ...number('of which the medians are'), default: 9 },
  threads: { ...SHARED.threads, default: 2 },
} as const

/** Words of the contexts. */
const CONTEXTS = [0, 30, 100, 300] as const
/** Of noise, in mel frames. */
const FRAMES = 1100

/** Medians in seconds. */
interface Row {
  readonly words: number
  /** tokens in front of the audio */
  readonly head: number
  readonly whole: number
  /** the first piece, whose context is new */
  readonly first: number
  readonly later: number
}

/** The benchmark `npm run bench -- context`. */
export const run = script(LINE, OPTIONS, async ({ modelDir, variant, rounds, threads }, output) => {
  const release = await openRelease(modelDir, 'asr')
  const { name } = release.variant(variant)
  const options = { variant: name, threads, layout: 'fused', cache: usualCache() } as const
  const keeping = await loadRecognizer(modelDir, options)
  const plain = await loadRecognizer(modelDir, { ...options, keepsHead: false })
  const mel = { data: Float32Array.from({ length: 128 * FRAMES }, (_, i) => Math.sin(i * i)), frames: FRAMES }
  const features = await encode(keeping, mel)
  const rows: Row[] = []
  for (const words of CONTEXTS) rows.push(await timeContext(keeping, plain, features, { words, rounds }))
  for (const each of [keeping, plain]) await releaseRecognizer(each)
  const machine = describeMachine(threads)
  output.report({ variant: name, rows, machine }, () => [
    ...tableLines(COLUMNS, rows.map(cells)),
    '',
    `  ${basename(modelDir)}, ${name}, a prompt with ${FRAMES / 100} s of audio, ${threads} threads, medians of ${rounds}. ${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, onnxruntime ${machine.onnxruntime}`,
  ])
  return EXIT.done
})

async function timeContext(
  keeping: Recognizer,
  plain: Recognizer,
  features: Float32Array,
  { words, rounds }: { readonly words: number; readonly rounds: number },
): Promise<Row> {
  const input = (round: number): PromptInput => {
    const context = Array.from({ length: words }, (_, i) => invented(round * 7919 + i * 104_729))
    return { features, prompt: promptOf(keeping, features, { context: context.join(' ') }) }
  }
  const times = { whole: [] as number[], first: [] as number[], later: [] as number[] }
  for (let round = 0; round <= rounds; round++) {
    const one = input(round) // a context that no round before had
    const turns = [
      async () => {
        const first = await timed(keeping, one)
        const later = await timed(keeping, one)
        if (round > 0) times.first.push(first)
        if (round > 0) times.later.push(later)
      },
      async () => {
        const whole = await timed(plain, one)
        if (round > 0) times.whole.push(whole) // the first round warms up
      },
    ]
    for (const turn of round % 2 === 0 ? turns : turns.toReversed()) await turn()
  }
  const { whole, first, later } = times
  const { audioOffset: head } = input(1).prompt
  return { words, head, whole: median(whole), first: median(first), later: median(later) }
}

/** Three syllables: about three tokens of the published tokenizer. */
function invented(seed: number): string {
  const syllables = [seed, seed >> 3, seed >> 6].map(
    (bits) => `${'bdfgklmnprstvz'[bits % 14]}${'aeiou'[bits % 5]}`,
  )
  return `${syllables.join('')}n`
}

/** @returns seconds that a prompt takes */
async function timed({ decoder }: Recognizer, input: PromptInput): Promise<number> {
  decoder.clear()
  const started = performance.now()
  await decoder.prefill([input])
  return (performance.now() - started) / 1000
}

const COLUMNS = ['context', 'head', 'not kept', 'kept: first piece', 'each later one', 'saved']

function cells({ words, head, whole, first, later }: Row): string[] {
  const saved = `${(100 * (1 - later / whole)).toFixed(0)} %`
  return [`${words} words`, `${head} tokens`, ...[whole, first, later].map(milliseconds), saved]
}
