import { availableParallelism } from 'node:os'
import yargs from 'yargs'
import type { PrefillKind } from '../../eval/prefill.ts'
import type { Layout } from '../../eval/session.ts'
import { parseOrPrint, strictly } from '../arguments.ts'
import { EXIT, Failure } from '../failure.ts'

const LISTED = 'npm run transcribe -- --help lists the options.'

export const FORMATS = ['text', 'json', 'srt', 'vtt'] as const

/** The name on a command line of audio that comes on stdin. */
export const STDIN = '-'
/** What stands for it while the command line is parsed: yargs drops a single dash, and no argument can hold this. */
const DASH = '\0-'
/** Rates of speech that occur, as those of files. */
const [LOWEST_RATE, HIGHEST_RATE] = [1000, 768_000]

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
  /** of each piece; undefined: what its length allows */
  readonly maxNewTokens?: number
  /** samples a second of stdin, where it has no header */
  readonly rate?: number
}

/**
 * What follows `--` are files, whatever they are called.
 * @returns undefined when help was printed
 * @throws Failure with exit code 2 for wrong usage
 */
export async function parseTranscribe(args: readonly string[]): Promise<TranscribeOptions | undefined> {
  let options: TranscribeOptions | undefined
  const end = args.indexOf('--')
  const named = end < 0 ? [] : args.slice(end + 1)
  const words = (end < 0 ? args : args.slice(0, end)).map((arg) => (arg === STDIN ? DASH : arg))
  const parser = yargs()
    .scriptName('npm run transcribe --')
    .command(
      '$0 [files..]',
      'transcribe recordings of any length with a release',
      (y) =>
        y
          .positional('files', {
            ...{ type: 'string', array: true, default: [] as string[], defaultDescription: 'none' },
            describe: `recordings; ${STDIN} is stdin: WAV, or with --rate 16-bit little-endian mono without a header`,
          })
          .options(OPTIONS)
          .requiresArg(VALUED),
      (parsed) => {
        const { files, ...others } = withDashes(parsed)
        options = optionsOf({ ...others, files: [...files, ...named] })
      },
    )
  await parseOrPrint(strictly(parser, LISTED), words)
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
  language: { type: 'string', describe: 'name, ISO code or tag (zh-CN); the model finds out by itself' },
  context: { type: 'string', describe: 'names and words that may occur' },
  format: {
    choices: FORMATS,
    default: 'text' as const,
    describe: 'json: one object a recording, with segments and times; srt, vtt: subtitles',
  },
  'output-dir': {
    type: 'string',
    describe: 'write NAME.txt, .json, .srt or .vtt there instead of printing',
  },
  threads: { type: 'number', default: availableParallelism(), describe: 'onnxruntime threads' },
  provider: { type: 'string', default: 'cpu', describe: 'execution provider of onnxruntime' },
  batch: {
    type: 'number',
    describe: 'pieces and recordings that are decoded together; 4 in the fused layout',
  },
  'max-piece': {
    type: 'number',
    describe: 'seconds; longer recordings are cut in pauses; 60, 15 for subtitles',
  },
  'max-new-tokens': { type: 'number', describe: 'of each piece; 25 a second, and 512 at least' },
  rate: { type: 'number', describe: 'samples a second of stdin without a header' },
  debug: { type: 'boolean', describe: 'print the stack of an error' },
} as const

/** yargs would leave an option without its value out. */
const VALUED = Object.entries(OPTIONS).flatMap(([name, option]) =>
  'type' in option && option.type === 'boolean' ? [] : [name],
)

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
  readonly maxNewTokens?: number | undefined
  readonly rate?: number | undefined
}

function optionsOf(parsed: Parsed): TranscribeOptions {
  for (const [name, value] of Object.entries(parsed)) {
    if (Array.isArray(value) && name !== 'files' && name !== '_')
      throw usage(`--${name} is given ${value.length} times, wanted once.`)
    if (value === '' && name !== 'context') throw usage(`--${name} has no value.`)
  }
  const { files, maxPiece, maxNewTokens, rate, modelDir, outputDir, batch, ...rest } = parsed
  if (files.length === 0) throw usage('Found no recording, wanted at least one.')
  const counts = { threads: parsed.threads, batch: batch ?? 1, 'max-new-tokens': maxNewTokens ?? 1 }
  for (const [name, value] of Object.entries(counts)) {
    if (!(Number.isInteger(value) && value > 0))
      throw usage(`--${name} is ${shown(value)}, wanted a whole number above 0.`)
  }
  if (maxPiece !== undefined && !(maxPiece >= 1))
    throw usage(`--max-piece is ${shown(maxPiece)}, wanted at least 1 second.`)
  checkStdin(files, rate)
  if (isSubtitles(parsed.format) && files.length > 1 && outputDir === undefined)
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
    ...(maxNewTokens !== undefined && { maxNewTokens }),
    ...(rate !== undefined && { rate }),
  }
}

export function isSubtitles(format: TranscribeOptions['format']): format is 'srt' | 'vtt' {
  return format === 'srt' || format === 'vtt'
}

function withDashes<T extends object>(parsed: T): T {
  const dashed = (value: unknown): unknown =>
    Array.isArray(value) ? value.map(dashed) : value === DASH ? STDIN : value
  return Object.fromEntries(Object.entries(parsed).map(([name, value]) => [name, dashed(value)])) as T
}

function checkStdin(files: readonly string[], rate: number | undefined): void {
  const times = files.filter((file) => file === STDIN).length
  if (times > 1) throw usage(`Stdin (${STDIN}) is given ${times} times, wanted once.`)
  if (rate === undefined) return
  if (!(Number.isInteger(rate) && rate >= LOWEST_RATE && rate <= HIGHEST_RATE))
    throw usage(`--rate is ${shown(rate)}, wanted ${LOWEST_RATE} to ${HIGHEST_RATE} samples a second.`)
  if (times === 0)
    throw usage(`--rate is that of stdin, which is not among the recordings: give ${STDIN} too.`)
}

function shown(value: number): string {
  return Number.isNaN(value) ? 'not a number' : String(value)
}

function usage(message: string): Failure {
  return new Failure(message, LISTED, EXIT.usage)
}
