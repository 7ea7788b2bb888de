import type { TrialOptions } from '../lab/run-trials.ts'
import { BUNDLED_SPEECH } from '../models.ts'
import {
  type CommandLine,
  flag,
  number,
  parseArguments,
  SHARED,
  text,
  usage,
  withCommand,
} from './arguments.ts'
import type { CommonOptions } from './run-command.ts'

interface FolderOptions {
  readonly modelDir?: string
}

export type QuantizeOptions = CommonOptions &
  (
    | ({ readonly command: 'list' | 'compare' } & FolderOptions)
    | ({ readonly command: 'trial' } & TrialOptions)
  )

const LINE: CommandLine = {
  command: 'npm run quantize --',
  usage: 'list | trial RECIPE.json... | compare [options]',
  about: 'Try recipes of quantization on an FP32 release, and compare what they cost.',
  examples: [
    ['list', 'variants and trials'],
    ['trial mine.json --model-dir output/qwen3-asr-0.6b', 'make and measure the recipe of a file'],
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
      demandOption: true,
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
    calibration: text('dataset to calibrate on, where a recipe needs it; bundled by default'),
    wer: flag('measure the word error rate too'),
    force: flag('run what has been run already'),
    keep: text('folder for the graphs, by the names of the trials'),
    threads: SHARED.threads,
    python: SHARED.python,
  },
  exits: { failed: 'failed, or a trial did' },
} as const

const COMPARE = {
  name: 'compare',
  about: 'Validated variants and trials side by side, by their size.',
  table: MODEL_DIR,
} as const

/**
 * @returns undefined when help or the version was printed
 * @throws Failure with exit code 2 for wrong usage
 */
export function parseQuantize(args: readonly string[]): Promise<QuantizeOptions | undefined> {
  return parseArguments<QuantizeOptions>(LINE, args, (parser, take) => {
    withCommand(parser, LIST, (options) => take({ command: 'list', ...options }))
    withCommand(parser, TRIAL, ({ recipes, ...options }) =>
      take({ command: 'trial', ...options, recipes: recipes ?? [] }),
    )
    withCommand(parser, COMPARE, (options) => take({ command: 'compare', ...options }))
    return parser.command(
      '$0',
      false,
      (y) => y,
      () => {
        throw usage('Found no command, wanted list, trial or compare.')
      },
    )
  })
}
