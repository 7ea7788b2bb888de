// SPDX-License-Identifier: Apache-2.0

import { defined } from '../../eval/runtime/defined.ts'
import { MAX_NEW_TOKENS } from '../../eval/runtime/limits.ts'
import { EXIT } from '../shared/failure.ts'
import {
  type CommandLine,
  type DescribedCommand,
  type OptionsOf,
  parseOptions,
  SHARED,
  text,
  texts,
  usage,
} from './arguments.ts'
import { PROVIDERS_LISTED, providerList } from './provider-list.ts'
import { runnable } from './run-command.ts'

const LINE: CommandLine = {
  command: 'npm run compare --',
  usage: '--model-dir DIR (--audio FILE... | --providers NAME,...) [options]',
  about:
    'The paths through a model side by side: PyTorch, FP32 graphs, every other variant; or the same variants on several providers.',
  examples: [
    ['--audio clip.wav --model-dir output/qwen3-asr-0.6b', 'where the variants begin to differ'],
    [
      '--providers cpu,webgpu --model-dir output/qwen3-asr-0.6b',
      'whether a GPU writes what the processor does',
    ],
  ],
  exits: { gate: 'values not finite, or a wrong provider' },
}

const OPTIONS = {
  audio: texts('recordings; with --providers by default the speech that ships'),
  providers: text(`compare these with the processor instead, each in its own process: ${PROVIDERS_LISTED}`),
  variants: text('with --providers: which, separated by commas; all by default'),
  output: text('with --providers: file of what was found; output/providers-NAMES-DATE.json by default'),
  'model-dir': { ...text('release directory'), demandOption: true },
  checkpoint: text('checkpoint directory for PyTorch; by default the one that the pipeline exported'),
  python: SHARED.python,
  threads: SHARED.threads,
  'max-new-tokens': {
    ...SHARED['max-new-tokens'],
    describe: 'token limit of a recording',
    default: MAX_NEW_TOKENS,
  },
} as const

/** For the reference of commands. */
export const COMPARE: DescribedCommand = { line: LINE, commands: [{ name: '$0', table: OPTIONS }] }

/** The command `npm run compare`. */
export const run = runnable({
  parse: parseCompare,
  stdout: 'results',
  needsPeers: true,
  isJsonChanged: true,
  async run(options, output, signal) {
    // the command line answers at once
    if ('providers' in options) {
      const { runComparison } = await import('../providers/run-comparison.ts')
      await runComparison(options, output, signal)
    } else {
      const { compareAudio } = await import('../evaluate/compare-audio.ts')
      await compareAudio(options, output, signal)
    }
    return EXIT.done
  },
})

/**
 * Parse the command line of `npm run compare`.
 * @returns undefined when help or the version was printed
 * @throws Failure with exit code 2 for wrong usage
 */
export function parseCompare(args: readonly string[]) {
  return parseOptions(LINE, args, OPTIONS, asked)
}

/** @throws Failure with exit code 2 for what does not go together */
function asked({ providers, variants, output, audio, ...options }: OptionsOf<typeof OPTIONS>) {
  if (providers !== undefined) {
    const names = variants?.split(',').map((name) => name.trim())
    return { ...options, ...defined({ audio, output, variants: names }), providers: providerList(providers) }
  }
  if (variants !== undefined || output !== undefined)
    throw usage(`--${variants === undefined ? 'output' : 'variants'} is for --providers.`)
  if (audio === undefined) throw usage('Found neither --audio nor --providers, wanted what to compare.')
  return { ...options, audio }
}
