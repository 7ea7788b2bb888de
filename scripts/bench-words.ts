// SPDX-License-Identifier: Apache-2.0

import { basename, join } from 'node:path'
import { describeMachine } from '../eval/machine.ts'
import { milliseconds, signedMilliseconds } from '../eval/report/number-text.ts'
import { align, loadAligner, releaseAligner } from '../eval/runtime/aligner/aligner.ts'
import { SAMPLE_RATE } from '../eval/runtime/audio/sample-rate.ts'
import { PROJECT } from '../eval/runtime/project.ts'
import { type Piece, recognize } from '../eval/runtime/recognize.ts'
import { loadRecognizer, releaseRecognizer } from '../eval/runtime/recognizer.ts'
import { openRelease } from '../eval/runtime/release.ts'
import type { TimedWord } from '../eval/runtime/timed-word.ts'
import { wordRanges } from '../eval/runtime/words/word-ranges.ts'
import { edgeErrors, oddTimes, summarizeTimes, type TimeFigures } from '../eval/time-errors.ts'
import { readSpokenClips, type SpokenClip } from '../pipeline/alignment/spoken-clips.ts'
import { type CommandLine, flag, number, SHARED, text } from '../pipeline/commands/arguments.ts'
import { BUNDLED_SPEECH } from '../pipeline/models.ts'
import { EXIT } from '../pipeline/shared/failure.ts'
import { tableLines } from '../pipeline/shared/text-table.ts'
import { alignmentCost, type CostFigures } from './alignment-cost.ts'
import { script } from './run-script.ts'

/*
 * How exact the times of words are, on bundled speech with exact times that no head was chosen on:
 *   npm run bench -- words --model-dir output/qwen3-asr-tiny --aligner output/qwen3-aligner-tiny
 * A forced aligner is given what is said; the others are not. With --cost, what the output for them costs: steps with
 * and without it, alternating, in one process.
 */

const LINE: CommandLine = {
  command: 'npm run bench -- words',
  usage: '[--model-dir DIR] [options]',
  about: 'Compare the times of words with exact ones, or measure what they cost.',
}

const OPTIONS = {
  'model-dir': {
    ...text('release directory'),
    default: join(PROJECT, 'output', 'qwen3-asr-tiny'),
    defaultDescription: 'output/qwen3-asr-tiny',
  },
  variants: text('variants, separated by commas; all by default'),
  aligner: text('release directory of a forced aligner, for the times of its variants too'),
  cost: flag('time steps and prompts with and without the output instead, of a release at full size', false),
  rounds: { ...number('of --cost, in which both take turns'), default: 40 },
  threads: { ...SHARED.threads, default: 2 },
} as const

const COLUMNS = ['times', 'edges', 'mean', 'median', 'bias', 'within 80 ms', 'within 200 ms', 'empty', 'back']

/** The benchmark `npm run bench -- words`. */
export const run = script(
  LINE,
  OPTIONS,
  async ({ modelDir, variants, aligner, cost, rounds, threads }, output) => {
    const release = await openRelease(modelDir)
    const names =
      variants?.split(',').map((name) => release.variant(name).name) ??
      release.variants.map(({ name }) => name)
    const { cpu, cores, features, node, onnxruntime } = describeMachine(threads)
    const machine = `  ${basename(modelDir)}, ${threads} threads. ${cpu} (${features.join(', ')}), ${cores} cores, Node ${node}, onnxruntime ${onnxruntime}`
    if (cost) {
      for (const name of names) {
        const figures = await alignmentCost(modelDir, name, threads, rounds)
        output.report({ variant: name, ...figures }, () => costLines(name, figures))
      }
    } else {
      const clips = await readSpokenClips(BUNDLED_SPEECH, new AbortController().signal)
      const rows = await timesOf(clips, modelDir, names, threads)
      if (aligner !== undefined) rows.push(...(await alignedTimes(clips, aligner, threads)))
      output.report({ rows }, () => tableLines(COLUMNS, rows.map(rowOf)))
    }
    output.report({ machine: describeMachine(threads) }, () => ['', machine])
    return EXIT.done
  },
)

interface Row {
  readonly name: string
  readonly figures: TimeFigures
}

async function timesOf(
  clips: readonly SpokenClip[],
  folder: string,
  variants: readonly string[],
  threads: number,
): Promise<Row[]> {
  const rows: Row[] = []
  for (const variant of variants) {
    const recognizer = await loadRecognizer(folder, { variant, threads, isSteady: true })
    const heard: { readonly clip: SpokenClip; readonly pieces: readonly Piece[] }[] = []
    for (const clip of clips) heard.push({ clip, pieces: (await recognize(recognizer, clip.samples)).pieces })
    await releaseRecognizer(recognizer)
    const figures = (words: (pieces: readonly Piece[]) => TimedWord[]) =>
      summarizeTimes(heard.map(({ clip, pieces }) => errorsOf(clip, words(pieces))))
    rows.push({
      name: `attention, ${variant}`,
      figures: figures((all) => all.flatMap(({ words = [] }) => words)),
    })
    if (variant === variants[0])
      rows.push({ name: 'shared out by length', figures: figures((all) => all.flatMap(sharedOut)) })
  }
  return rows
}

/** Of a forced aligner's variants, which are given the text of each clip. */
async function alignedTimes(clips: readonly SpokenClip[], folder: string, threads: number): Promise<Row[]> {
  const rows: Row[] = []
  for (const { name: variant } of (await openRelease(folder, 'aligner')).variants) {
    const aligner = await loadAligner(folder, { variant, threads })
    const times = []
    for (const clip of clips) {
      const { words } = await align(aligner, clip.samples, clip.text, { language: clip.language })
      times.push(errorsOf(clip, words))
    }
    await releaseAligner(aligner)
    rows.push({ name: `aligner, ${variant}`, figures: summarizeTimes(times) })
  }
  return rows
}

function errorsOf({ words, samples }: SpokenClip, found: readonly TimedWord[]) {
  return { errors: edgeErrors(words, found, 'basic'), odd: oddTimes(found, samples.length / SAMPLE_RATE) }
}

/** What is known without attention: the time from the first to the last loud moment, by the lengths of words. */
function sharedOut({ text: said, start, speech }: Piece): TimedWord[] {
  const at = (place: number) => start + speech.start + ((speech.end - speech.start) * place) / said.length
  return wordRanges(said).map((range) => ({
    text: said.slice(range.start, range.end),
    start: at(range.start),
    end: at(range.end),
  }))
}

function rowOf({ name, figures: { all, odd } }: Row): string[] {
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`
  const times = [
    milliseconds(all.mean),
    milliseconds(all.median),
    signedMilliseconds(all.bias),
    percent(all.within80),
    percent(all.within200),
  ]
  return [name, `${all.edges}`, ...times, `${odd.zeroLength}`, `${odd.nonMonotonic}`]
}

function costLines(variant: string, { parts }: CostFigures): string[] {
  const columns = ['', 'without', 'with', 'ratio']
  const rows = parts.map(({ name, without, together }) => {
    const ms = (seconds: number) => `${(1000 * seconds).toFixed(2)} ms`
    return [`${variant}: ${name}`, ms(without), ms(together), (together / without).toFixed(4)]
  })
  return tableLines(columns, rows)
}
