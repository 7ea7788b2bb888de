// SPDX-License-Identifier: Apache-2.0

import { defined } from '../../eval/runtime/defined.ts'
import type { TrialOptions } from '../lab/run-trials.ts'
import type { ScanOptions } from '../lab/scan-weights.ts'
import { BUNDLED_SPEECH } from '../models.ts'
import {
  type CommandLine,
  type DescribedCommand,
  flag,
  number,
  oneOf,
  parseArguments,
  requireCommand,
  SHARED,
  text,
  usage,
  withCommand,
} from './arguments.ts'
import { CALIBRATION } from './calibration-options.ts'
import type { CommonOptions } from './run-command.ts'

interface FolderOptions {
  readonly modelDir?: string
}

/** What `npm run quantize` was given, by subcommand. */
export type QuantizeOptions = CommonOptions &
  (
    | ({ readonly command: 'list' | 'compare' } & FolderOptions)
    | ({ readonly command: 'trial' } & TrialOptions)
    | ({ readonly command: 'scan' } & ScanOptions)
  )

const LINE: CommandLine = {
  command: 'npm run quantize --',
  usage: 'list | trial RECIPE.json... | scan [FOLDER] | compare [options]',
  about: 'Try recipes of quantization on an FP32 release, and compare what they cost.',
  examples: [
    ['list', 'variants and trials'],
    ['trial output/mine.json --model-dir output/qwen3-asr-0.6b', 'make and measure the recipe of a file'],
    ['scan', 'what each weight costs in 4 bits, and what auto:N% chooses'],
    ['compare', 'size against divergence from FP32'],
  ],
}

const MODEL_DIR = {
  'model-dir': text('release directory with FP32 graphs; the only one in output/'),
} as const

const LIST = {
  name: 'list',
  about: 'All variants of the table and all trials that have been run.',
  table: MODEL_DIR,
} as const

const TRIAL = {
  name: 'trial',
  about: 'Make recipes that are not in the table, and measure each. The same trial is not run twice.',
  words: {
    recipes: {
      type: 'string',
      array: true,
      describe: 'RECIPE.json; the trial is named after it',
    },
  },
  table: {
    ...MODEL_DIR,
    speech: {
      ...text('folder of recordings to judge on'),
      default: BUNDLED_SPEECH,
      defaultDescription: 'bundled',
    },
    'n-samples': number('the first of these recordings; all by default'),
    ...CALIBRATION,
    alpha: text('strengths to smooth with, separated by commas: each recipe is tried with each of them'),
    wer: flag('measure the word error rate too'),
    force: flag('run what has been run already'),
    keep: text('folder for the graphs, by the names of the trials'),
    threads: SHARED.threads,
    python: SHARED.python,
  },
  exits: { failed: 'failed, or a trial did', gate: 'clips to calibrate on are judged on too' },
} as const

const FORMAT = {
  text: 'f32, f16, i8, or a format of blocks such as q4b64',
  holds: (value: unknown) => /^(f32|f16|i8|q[248]b(16|32|64|128|256)s?)$/.test(String(value)),
  hint: 'Blocks have 2, 4 or 8 bits and 16, 32, 64, 128 or 256 weights; s at the end leaves zero points out.',
}

const SCAN = {
  name: 'scan',
  about: "What each of the decoder's weights costs in a low format, and which of them auto:N% chooses.",
  words: { folder: { type: 'string', describe: 'the same as --model-dir' } },
  table: {
    ...MODEL_DIR,
    ...CALIBRATION,
    low: { ...text('format whose cost is measured'), default: 'q4b64', wanted: FORMAT },
    high: { ...text('format that auto:N% gives to some weights'), default: 'q8b64', wanted: FORMAT },
    method: oneOf(
      ['scan', 'gradient'],
      'one weight at a time, or all by the gradient; by default after the size of the model',
    ),
    threads: SHARED.threads,
    python: SHARED.python,
  },
} as const

const COMPARE = {
  name: 'compare',
  about: 'Validated variants and trials side by side, by their size.',
  table: MODEL_DIR,
} as const

/** For the reference of commands. */
export const QUANTIZE: DescribedCommand = { line: LINE, commands: [LIST, TRIAL, SCAN, COMPARE] }

const WANTED = 'wanted list, trial, scan or compare.'

/**
 * Parse the command line of `npm run quantize`.
 * @returns undefined when help or the version was printed
 * @throws Failure with exit code 2 for wrong usage
 */
export async function parseQuantize(args: readonly string[]): Promise<QuantizeOptions | undefined> {
  const names = [LIST, TRIAL, SCAN, COMPARE].map(({ name }) => name)
  requireCommand(LINE, args, names, () => `, ${WANTED}`)
  return parseArguments<QuantizeOptions>(LINE, args, (parser, take) => {
    withCommand(parser, LIST, (options) => take({ command: 'list', ...options }))
    withCommand(parser, TRIAL, ({ recipes = [], ...options }) => {
      if (recipes.length === 0) throw usage('Found no recipe, wanted at least one RECIPE.json.')
      return take({ command: 'trial', ...options, recipes })
    })
    withCommand(parser, SCAN, ({ folder, modelDir, ...options }) => {
      if (folder !== undefined && modelDir !== undefined)
        throw usage('The folder is given twice, wanted either FOLDER or --model-dir.')
      if (options.low === options.high)
        throw usage(`--low and --high are both ${options.low}, wanted two formats.`)
      return take({ command: 'scan', ...options, ...defined({ modelDir: folder ?? modelDir }) })
    })
    withCommand(parser, COMPARE, (options) => take({ command: 'compare', ...options }))
    return parser.demandCommand(1, `Found no command, ${WANTED}`)
  })
}
