// SPDX-License-Identifier: Apache-2.0

import { FP16, LAYOUT_NAMES, PREFERRED, PREFILL_KINDS } from '../../eval/runtime/graphs.ts'
import { USUAL_PROVIDER } from '../../eval/runtime/providers.ts'
import { FORMATS, isSubtitles, STDIN, type TranscribeOptions } from '../transcribe/transcription-options.ts'
import { VARIANT_NAMES } from '../variants.ts'
import {
  between,
  type CommandLine,
  type DescribedCommand,
  flag,
  number,
  oneOf,
  parseOptions,
  SHARED,
  text,
  usage,
} from './arguments.ts'
import { PROVIDERS_LISTED } from './provider-list.ts'
import type { CommonOptions } from './run-command.ts'

type Options = TranscribeOptions & CommonOptions

/** What stands for stdin while the command line is parsed: yargs drops a single dash, and no argument can hold this. */
const DASH = '\0-'

const LINE: CommandLine = {
  command: 'npm run transcribe --',
  usage: '[files..] [options]',
  about: 'Transcribe recordings of any length with a release.',
  examples: [
    ['recording.wav', 'with the only model in output/'],
    ['talk.mp3 --format srt --output-dir subtitles', 'subtitles'],
    ['*.flac --output-dir texts --language German', 'a text file of each'],
  ],
}

const OPTIONS = {
  'model-dir': text('release directory; the only one in output/'),
  variant: text(
    `${VARIANT_NAMES.join(', ')}; ${FP16} on a device that computes in float16, else ${PREFERRED}, where there is one`,
  ),
  layout: oneOf(LAYOUT_NAMES, "of the decoder's graphs; fused where it is there"),
  prefill: oneOf(
    PREFILL_KINDS,
    'of 4-bit variants: prompts in 8 bits (faster, but a slower start), or as the steps',
  ),
  cache: flag(
    "keep the prompts' weights in 8 bits for the next start; --no-cache computes them each time",
    true,
  ),
  aligner: text('release directory of a forced aligner, which finds when words are said'),
  'aligner-variant': text('of the aligner, as --variant'),
  language: SHARED.language,
  context: SHARED.context,
  format: {
    ...oneOf(FORMATS, 'json: one object a recording, with segments and times; srt, vtt: subtitles'),
    default: 'text',
  },
  openai: flag("json as the object that OpenAI's API calls verbose_json"),
  'word-timestamps': flag('vtt with the time of each word, for players that show how far the speaker is'),
  'output-dir': text('write NAME.txt, .json, .srt or .vtt there instead of printing'),
  threads: SHARED.threads,
  provider: {
    ...text(`execution provider of onnxruntime: ${PROVIDERS_LISTED}`),
    default: USUAL_PROVIDER,
  },
  batch: number('pieces and recordings that are decoded together; 4 in the fused layout'),
  'max-piece': {
    ...SHARED['max-piece'],
    describe: `${SHARED['max-piece'].describe}; 60, or 15 for subtitles where the release has no times of words`,
  },
  'max-new-tokens': SHARED['max-new-tokens'],
  // rates of speech that occur, as those of files
  rate: number('samples a second of stdin without a header', between(1000, 768_000, ' samples a second')),
} as const

const WORDS = {
  files: {
    type: 'string',
    array: true,
    default: [] as string[],
    defaultDescription: 'none',
    describe: `recordings; ${STDIN} is stdin: WAV, or with --rate 16-bit little-endian mono without a header`,
  },
} as const

/** For the reference of commands. */
export const TRANSCRIBE: DescribedCommand = {
  line: LINE,
  commands: [{ name: '$0', words: WORDS, table: OPTIONS }],
}

/**
 * What follows `--` are files, whatever they are called.
 * @returns undefined when help or the version was printed
 * @throws Failure with exit code 2 for wrong usage
 */
export function parseTranscribe(args: readonly string[]): Promise<Options | undefined> {
  const end = args.indexOf('--')
  const named = end < 0 ? [] : args.slice(end + 1)
  const given = (end < 0 ? args : args.slice(0, end)).map((arg) => (arg === STDIN ? DASH : arg))
  return parseOptions(
    LINE,
    given,
    OPTIONS,
    (parsed) => {
      const { files, maxPiece, ...options } = withDashes(parsed)
      const piece = maxPiece !== undefined && { maxPieceSeconds: maxPiece }
      return checked({ ...options, files: [...files, ...named], ...piece })
    },
    WORDS,
  )
}

function checked(options: Options): Options {
  const { files, rate, format, outputDir, json } = options
  if (files.length === 0) throw usage('Found no recording, wanted at least one.')
  checkStdin(files, rate)
  checkShape(options)
  if (!isSubtitles(format) || outputDir !== undefined) return options
  if (files.length > 1)
    throw usage(`Subtitles of ${files.length} recordings go to files of their own: give --output-dir.`)
  if (json) throw usage('Subtitles are not events: give --output-dir, or leave --json out.')
  return options
}

function checkShape({ format, openai, wordTimestamps, files, outputDir, json, ...options }: Options): void {
  if (options.aligner !== undefined && format === 'text')
    throw usage(
      '--aligner finds times, which --format text does not show.',
      'Give --format json, srt or vtt, or leave --aligner out.',
    )
  if (options.alignerVariant !== undefined && options.aligner === undefined)
    throw usage('--aligner-variant goes with --aligner DIR.')
  if (openai && format !== 'json')
    throw usage(`--openai is a shape of JSON, found --format ${format}.`, 'Give --format json --openai.')
  if (openai && files.length > 1 && outputDir === undefined && !json)
    throw usage(
      `With --openai, the objects of ${files.length} recordings name none of them.`,
      'Give --output-dir for a file of each, or --json for events that name them.',
    )
  if (wordTimestamps && (format === 'text' || format === 'srt'))
    throw usage(
      `--word-timestamps goes with WebVTT, found --format ${format}.`,
      'Give --format vtt, or --format json, whose segments have words with times.',
    )
}

function withDashes<T extends object>(parsed: T): T {
  const dashed = (value: unknown): unknown =>
    Array.isArray(value) ? value.map(dashed) : value === DASH ? STDIN : value
  return Object.fromEntries(Object.entries(parsed).map(([name, value]) => [name, dashed(value)])) as T
}

function checkStdin(files: readonly string[], rate: number | undefined): void {
  const times = files.filter((file) => file === STDIN).length
  if (times > 1) throw usage(`Stdin (${STDIN}) is given ${times} times, wanted once.`)
  if (rate !== undefined && times === 0)
    throw usage(`--rate is that of stdin, which is not among the recordings: give ${STDIN} too.`)
}
