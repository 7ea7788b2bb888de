import { MAX_NEW_TOKENS } from '../../eval/runtime/limits.ts'
import { EXIT } from '../shared/failure.ts'
import { type CommandLine, parseOptions, SHARED, text, texts } from './arguments.ts'
import { runnable } from './run-command.ts'

const LINE: CommandLine = {
  command: 'npm run compare --',
  usage: '--audio FILE... --model-dir DIR [options]',
  about: 'The paths through a model side by side: PyTorch, FP32 graphs, every other variant.',
  examples: [['--audio clip.wav --model-dir output/qwen3-asr-0.6b', 'where the variants begin to differ']],
  exits: { gate: 'values that are not finite' },
}

const OPTIONS = {
  audio: { ...texts('recordings'), demandOption: true },
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

export const run = runnable({
  parse: (args) => parseOptions(LINE, args, OPTIONS, (options) => options),
  stdout: 'results',
  isJsonChanged: true,
  async run(options, output, signal) {
    const { compareAudio } = await import('../evaluate/compare-audio.ts') // the command line answers at once
    await compareAudio(options, output, signal)
    return EXIT.done
  },
})
