import { availableParallelism } from 'node:os'
import yargs from 'yargs'
import { DATASET_NAMES } from '../../eval/dataset/named.ts'
import type { Selection } from '../../eval/dataset/utterance.ts'
import { languageName } from '../../eval/languages.ts'
import { MAX_PIECE_SECONDS } from '../../eval/limits.ts'
import { NORMALIZER_NAMES } from '../../eval/normalize/normalizers.ts'
import { parseOrPrint, strictly } from '../arguments.ts'
import type { EvaluateOptions, ModelSpec } from '../evaluate/evaluation-options.ts'
import { EXIT, Failure } from '../failure.ts'

const LISTED = 'npm run evaluate -- --help lists the options.'

/** What the command line asks for. */
export type Command =
  | { readonly command: 'evaluate'; readonly options: EvaluateOptions }
  | {
      readonly command: 'merge'
      readonly folders: readonly string[]
      readonly output: string
      readonly json: boolean
    }

/**
 * Parse the command line of `npm run evaluate`.
 * @returns undefined when help was printed
 * @throws Failure with exit code 2 for wrong usage
 */
export async function parseEvaluate(args: readonly string[]): Promise<Command | undefined> {
  let command: Command | undefined
  const parser = builder()
    .command(
      '$0',
      'measure WER and RTF of models on datasets',
      (y) => y.options(EVALUATE),
      (parsed) => {
        command = { command: 'evaluate', options: optionsOf(parsed) }
      },
    )
    .command(
      'merge <folders..>',
      'put the parts of an evaluation together that ran with --shard',
      (y) =>
        y
          .positional('folders', {
            type: 'string',
            array: true,
            demandOption: true,
            describe: "the parts' folders",
          })
          .option('output', { type: 'string', demandOption: true, describe: 'folder of the whole' }),
      ({ folders, output, json }) => {
        command = { command: 'merge', folders, output, json: json === true }
      },
    )
  await parseOrPrint(parser, args)
  return command
}

function builder() {
  const options = yargs()
    .scriptName('npm run evaluate --')
    .usage('$0 --models NAME:FOLDER[:VARIANT]... --datasets NAME...\n\nMeasure finished models on speech.')
    .option('json', { type: 'boolean', describe: 'print report.json instead of tables' })
    .option('debug', { type: 'boolean', describe: 'print the stack of an error' })
  return strictly(options, LISTED)
}

const EVALUATE = {
  models: {
    type: 'string',
    array: true,
    default: [] as string[],
    describe: 'NAME:FOLDER or NAME:FOLDER:VARIANT (int4)',
  },
  engine: {
    type: 'string',
    array: true,
    default: [] as string[],
    describe: 'another recognizer: "NAME:COMMAND {wav}"',
  },
  datasets: {
    type: 'string',
    array: true,
    demandOption: true,
    describe: `${DATASET_NAMES.join(', ')}, hub:owner/name/config/split[@revision], a folder, or a manifest (.jsonl, .csv, .tsv, .parquet)`,
  },
  'n-samples': { type: 'number', describe: 'utterances of each dataset; all by default' },
  sample: {
    choices: ['first', 'seeded', 'all'] as const,
    describe: 'which: as they stand, or a seeded choice over row groups (the default with --n-samples)',
  },
  seed: { type: 'number', default: 1, describe: 'of the seeded choice' },
  shard: { type: 'string', describe: 'I/N: only part I of N of the chosen utterances' },
  normalizer: {
    choices: NORMALIZER_NAMES,
    describe: 'of the tables; by default that of the named dataset, and basic for others',
  },
  'text-column': { type: 'string', describe: 'the column of the references; COLUMN.FIELD of a struct' },
  'audio-column': { type: 'string', describe: 'the column of the recordings' },
  'keep-empty': {
    type: 'boolean',
    default: false,
    describe: 'measure recordings without a reference too: all their words are insertions',
  },
  'max-download': { type: 'string', default: '1GB', describe: 'refuse to fetch more than this' },
  language: { type: 'string', describe: 'force a language' },
  context: { type: 'string', describe: 'words that may occur, for the system turn' },
  prompt: {
    choices: ['published', 'legacy'] as const,
    default: 'published' as const,
    describe: "legacy: the wrong ids of older exporters' prompt",
  },
  'max-new-tokens': { type: 'number', describe: 'of each piece; 25 a second, and 512 at least' },
  'max-piece': {
    type: 'number',
    default: MAX_PIECE_SECONDS,
    describe: 'seconds; longer recordings are cut in pauses',
  },
  'loop-guard': { type: 'boolean', default: true, describe: 'stop output that repeats itself' },
  retry: { type: 'boolean', default: false, describe: 'do again what could not be read or transcribed' },
  'engine-timeout': { type: 'number', default: 600, describe: 'seconds for one clip' },
  threads: {
    type: 'number',
    describe: 'onnxruntime threads of each worker; all cores, divided by the workers',
  },
  prefill: {
    choices: ['int8', 'same'] as const,
    describe: 'of int4: prompts in 8 bits, where the release has the graph, or as the steps',
  },
  batch: {
    type: 'number',
    default: 1,
    describe:
      'utterances that each worker decodes together; the same transcripts in less time and more memory',
  },
  steady: {
    type: 'boolean',
    default: true,
    describe: 'the same transcripts whatever --batch is; --no-steady: one alone is as quick as in transcribe',
  },
  workers: { type: 'number', default: 1, describe: 'utterances at a time, each with sessions of its own' },
  output: {
    type: 'string',
    describe: "folder of the results; under output/evaluation by default, or the user's state folder",
  },
  cache: {
    type: 'string',
    describe: "folder of fetched audio; output/.cache by default, or the user's cache folder",
  },
} as const

/** Options that may be given more than once. */
const LISTS = ['_', 'models', 'engine', 'datasets']

interface Parsed {
  readonly models: readonly string[]
  readonly engine: readonly string[]
  readonly datasets: readonly string[]
  readonly nSamples?: number | undefined
  readonly sample?: 'first' | 'seeded' | 'all' | undefined
  readonly seed: number
  readonly shard?: string | undefined
  readonly normalizer?: EvaluateOptions['normalizer'] | undefined
  readonly textColumn?: string | undefined
  readonly audioColumn?: string | undefined
  readonly keepEmpty: boolean
  readonly maxDownload: string
  readonly language?: string | undefined
  readonly context?: string | undefined
  readonly prompt: EvaluateOptions['prompt']
  readonly maxNewTokens?: number | undefined
  readonly maxPiece: number
  readonly loopGuard: boolean
  readonly retry: boolean
  readonly engineTimeout: number
  readonly threads?: number | undefined
  readonly workers: number
  readonly batch: number
  readonly steady: boolean
  readonly prefill?: EvaluateOptions['prefill'] | undefined
  readonly output?: string | undefined
  readonly cache?: string | undefined
  readonly json?: boolean | undefined
}

function optionsOf(parsed: Parsed): EvaluateOptions {
  const {
    models,
    engine: engines,
    datasets,
    workers,
    normalizer,
    textColumn,
    audioColumn,
    context,
    output,
  } = parsed
  if (models.length + engines.length === 0)
    throw usage('Found no --models and no --engine, wanted at least one.')
  for (const name of ['nSamples', 'maxNewTokens', 'threads', 'workers', 'batch'] as const) {
    const value = parsed[name]
    if (value !== undefined && !(Number.isInteger(value) && value > 0)) {
      throw usage(
        `--${name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)} is ${value}, wanted a whole number above 0.`,
      )
    }
  }
  if (!Number.isInteger(parsed.seed)) throw usage(`--seed is ${parsed.seed}, wanted a whole number.`)
  if (!(parsed.maxPiece >= 1)) throw usage(`--max-piece is ${parsed.maxPiece}, wanted at least 1 second.`)
  for (const [name, value] of Object.entries(parsed)) {
    if (Array.isArray(value) && !LISTS.includes(name))
      throw usage(`--${name} is given ${value.length} times, wanted once.`)
  }
  const specs = models.map(parseModel)
  const names = [...specs.map(({ name }) => name), ...engines.map((text) => text.split(':')[0])]
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) throw usage(`Two systems are named ${twice}, wanted names of their own.`)
  return {
    ...{ models: specs, engines, datasets, workers, selection: selectionOf(parsed) },
    ...(normalizer && { normalizer }),
    ...(textColumn && { textColumn }),
    ...(audioColumn && { audioColumn }),
    ...(parsed.language && { language: languageName(parsed.language) }),
    ...(context && { context }),
    ...(output && { output }),
    ...(parsed.cache && { cache: parsed.cache }),
    ...{
      maxDownload: parseBytes(parsed.maxDownload),
      prompt: parsed.prompt,
    },
    ...(parsed.maxNewTokens !== undefined && { maxNewTokens: parsed.maxNewTokens }),
    ...{
      maxPieceSeconds: parsed.maxPiece,
      stopLoops: parsed.loopGuard,
      retry: parsed.retry,
      engineTimeout: parsed.engineTimeout,
      json: parsed.json === true,
      keepEmpty: parsed.keepEmpty,
    },
    ...{ batch: parsed.batch, isSteady: parsed.steady },
    ...(parsed.prefill && { prefill: parsed.prefill }),
    threads: parsed.threads ?? Math.max(1, Math.floor(availableParallelism() / workers)),
  }
}

function selectionOf({ sample, nSamples, seed, shard }: Parsed): Selection {
  if (sample === 'all' && nSamples !== undefined)
    throw usage('Found --sample all with --n-samples, wanted one of them.')
  if ((sample === 'first' || sample === 'seeded') && nSamples === undefined) {
    throw usage(`--sample ${sample} needs --n-samples.`)
  }
  const part = shard === undefined ? undefined : /^(\d+)\/(\d+)$/.exec(shard)
  const [index, of] = [Number(part?.[1]), Number(part?.[2])]
  if (shard !== undefined && !(index >= 1 && index <= of)) {
    throw usage(`--shard is "${shard}", wanted I/N with I from 1 to N.`)
  }
  return {
    sample: sample ?? (nSamples === undefined ? 'all' : 'seeded'),
    ...{ count: nSamples ?? Number.POSITIVE_INFINITY, seed },
    ...(part && { shard: { index, of } }),
  }
}

/** "0.6B int4:output/qwen3-asr-0.6b:int4"; a single letter before a colon is a Windows drive. */
function parseModel(text: string): ModelSpec {
  const [, name, folder, variant = ''] = /^([^:]+):((?:[A-Za-z]:)?[^:]+)(?::([\w-]+))?$/.exec(text) ?? []
  if (name === undefined || folder === undefined) {
    throw usage(`--models "${text}" is not NAME:FOLDER or NAME:FOLDER:VARIANT.`)
  }
  return { name, folder, variant: variant.toLowerCase() === 'fp32' ? '' : variant }
}

function parseBytes(text: string): number {
  const [, value, unit = ''] = /^([\d.]+)\s*([kMGT]?)B?$/i.exec(text) ?? []
  const power = ['', 'K', 'M', 'G', 'T'].indexOf(unit.toUpperCase())
  const bytes = Number(value) * 1000 ** power
  if (!Number.isFinite(bytes)) throw usage(`--max-download is "${text}", wanted a size such as 500MB.`)
  return bytes
}

function usage(message: string): Failure {
  return new Failure(message, LISTED, EXIT.usage)
}
