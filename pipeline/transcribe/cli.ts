import { availableParallelism } from 'node:os'
import yargs from 'yargs'
import type { PrefillKind } from '../../eval/prefill.ts'
import type { Layout } from '../../eval/session.ts'
import { EXIT, Failure } from '../failure.ts'

export const FORMATS = ['text', 'json', 'srt'] as const

/** What the command line of `npm run transcribe` asks for. */
export interface TranscribeOptions {
  readonly files: readonly string[]
  /** undefined: the only one in output/ */
  readonly modelDir?: string
  /** undefined: int4 where there is one */
  readonly variant?: string
  readonly layout?: Layout
  readonly prefill?: PrefillKind
  readonly language?: string
  readonly context?: string
  readonly format: (typeof FORMATS)[number]
  /** undefined: stdout */
  readonly outputDir?: string
  readonly threads: number
  readonly provider: string
  readonly batch?: number
  readonly maxPieceSeconds?: number
}

/**
 * @returns undefined when help was printed
 * @throws Failure with exit code 2 for wrong usage
 */
export async function parseTranscribe(args: readonly string[]): Promise<TranscribeOptions | undefined> {
  let options: TranscribeOptions | undefined
  await yargs([...args])
    .scriptName('npm run transcribe --')
    .command(
      '$0 <files..>',
      'transcribe recordings of any length with a release',
      (y) =>
        y
          .positional('files', { type: 'string', array: true, demandOption: true, describe: 'recordings' })
          .options(OPTIONS),
      (parsed) => {
        options = optionsOf(parsed)
      },
    )
    .strict()
    .wrap(110)
    .fail((message, error) => {
      throw (
        error ??
        usage(/^Not enough non-option/.test(message) ? 'Found no recording, wanted at least one.' : message)
      )
    })
    .parseAsync()
  return options
}

const OPTIONS = {
  'model-dir': { type: 'string', describe: 'release directory; the only one in output/' },
  variant: { type: 'string', describe: 'fp32, int4; int4 where there is one' },
  layout: {
    choices: ['fused', 'split'] as const,
    describe: "of the decoder's graphs; fused where it is there",
  },
  prefill: {
    choices: ['int8', 'same'] as const,
    describe: 'of int4: prompts in 8 bits, quicker but for a slower start, or as the steps',
  },
  language: { type: 'string', describe: 'name or ISO code; the model finds out by itself' },
  context: { type: 'string', describe: 'names and words that may occur' },
  format: {
    choices: FORMATS,
    default: 'text' as const,
    describe: 'json: one object a recording, with segments and times; srt: subtitles',
  },
  'output-dir': {
    type: 'string',
    describe: 'write NAME.txt, NAME.json or NAME.srt there instead of printing',
  },
  threads: { type: 'number', default: availableParallelism(), describe: 'onnxruntime threads' },
  provider: { type: 'string', default: 'cpu', describe: 'execution provider of onnxruntime' },
  batch: {
    type: 'number',
    describe: 'pieces and recordings that are decoded together; 4 in the fused layout',
  },
  'max-piece': { type: 'number', describe: 'seconds; longer recordings are split at pauses; 60, 15 for srt' },
  debug: { type: 'boolean', describe: 'print the stack of an error' },
} as const

interface Parsed {
  readonly files: readonly string[]
  readonly modelDir?: string | undefined
  readonly variant?: string | undefined
  readonly layout?: Layout | undefined
  readonly prefill?: PrefillKind | undefined
  readonly language?: string | undefined
  readonly context?: string | undefined
  readonly format: TranscribeOptions['format']
  readonly outputDir?: string | undefined
  readonly threads: number
  readonly provider: string
  readonly batch?: number | undefined
  readonly maxPiece?: number | undefined
}

function optionsOf(parsed: Parsed): TranscribeOptions {
  for (const [name, value] of Object.entries(parsed)) {
    if (Array.isArray(value) && name !== 'files' && name !== '_')
      throw usage(`--${name} is given ${value.length} times, wanted once.`)
  }
  const { files, maxPiece, modelDir, outputDir, batch, ...rest } = parsed
  for (const [name, value] of Object.entries({ threads: parsed.threads, batch: batch ?? 1 })) {
    if (!(Number.isInteger(value) && value > 0))
      throw usage(`--${name} is ${value}, wanted a whole number above 0.`)
  }
  if (maxPiece !== undefined && !(maxPiece >= 1))
    throw usage(`--max-piece is ${maxPiece}, wanted at least 1 second.`)
  if (parsed.format === 'srt' && files.length > 1 && outputDir === undefined)
    throw usage(`Subtitles of ${files.length} recordings go to files of their own: give --output-dir.`)
  const { variant, layout, prefill, language, context, format, threads, provider } = rest
  return {
    ...{ files, format, threads, provider },
    ...(modelDir !== undefined && { modelDir }),
    ...(outputDir !== undefined && { outputDir }),
    ...(variant !== undefined && { variant }),
    ...(layout !== undefined && { layout }),
    ...(prefill !== undefined && { prefill }),
    ...(language !== undefined && { language }),
    ...(context !== undefined && { context }),
    ...(batch !== undefined && { batch }),
    ...(maxPiece !== undefined && { maxPieceSeconds: maxPiece }),
  }
}

function usage(message: string): Failure {
  return new Failure(message, 'npm run transcribe -- --help lists the options.', EXIT.usage)
}
