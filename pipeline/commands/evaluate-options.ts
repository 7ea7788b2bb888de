// SPDX-License-Identifier: Apache-2.0

import { DATASETS_LISTED } from '../../eval/dataset/named.ts'
import type { Selection } from '../../eval/dataset/utterance.ts'
import { NORMALIZER_NAMES } from '../../eval/normalize/normalizers.ts'
import { FP32, PREFILL_KINDS } from '../../eval/runtime/graphs.ts'
import { languageName } from '../../eval/runtime/languages.ts'

import { USUAL_PROVIDER } from '../../eval/runtime/providers.ts'
import { variantName } from '../../eval/runtime/release.ts'
import {
  type EvaluateOptions,
  type ModelSpec,
  USUAL_EVALUATION,
  usualThreads,
  withHotwords,
} from '../evaluate/evaluation-options.ts'
import {
  type CommandLine,
  type DescribedCommand,
  flag,
  number,
  type OptionsOf,
  oneOf,
  parseArguments,
  SHARED,
  text,
  texts,
  usage,
  withCommand,
} from './arguments.ts'
import type { CommonOptions } from './run-command.ts'

/** What the command line requests. */
export type EvaluateCommand = CommonOptions &
  (
    | ({ readonly command: 'evaluate' } & EvaluateOptions)
    | { readonly command: 'merge'; readonly folders: readonly string[]; readonly output: string }
  )

const LINE: CommandLine = {
  command: 'npm run evaluate --',
  usage: '--models NAME[@PROVIDER]:FOLDER[:VARIANT]... --datasets NAME... [options]',
  about: 'Measure WER, RTF and times of words of finished models on speech.',
  examples: [
    [
      '--models fp32:output/qwen3-asr-0.6b int4:output/qwen3-asr-0.6b:int4 --datasets librispeech-other --n-samples 200',
      'two variants on the same utterances',
    ],
    [
      '--models asr:output/qwen3-asr-0.6b al:output/qwen3-forced-aligner-0.6b --datasets ./clips',
      'times of words, by a recognizer and by a forced aligner',
    ],
    [
      '--models int4:output/qwen3-asr-0.6b:int4 int4@webgpu:output/qwen3-asr-0.6b:int4 --datasets ./clips',
      'the same variant on the processor and on a GPU',
    ],
    ['merge part-1 part-2 --output whole', 'put together what ran with --shard 1/2 and --shard 2/2'],
  ],
}

const OPTIONS = {
  models: {
    ...texts('NAME:FOLDER for fp32, or NAME:FOLDER:VARIANT; NAME@PROVIDER for one that is not --provider'),
    default: [],
  },
  engine: { ...texts('another recognizer: "NAME:COMMAND {wav}"'), default: [] },
  datasets: {
    ...texts(
      `${DATASETS_LISTED}, hub:owner/name/config/split[@revision], a folder, or a manifest (.jsonl, .csv, .tsv, .parquet)`,
    ),
    demandOption: true,
  },
  'n-samples': number('utterances of each dataset; all by default'),
  sample: oneOf(
    ['first', 'seeded', 'all'],
    'which: in their order, or a seeded choice over row groups (the default with --n-samples)',
  ),
  seed: {
    ...number('of the seeded choice', { text: 'a whole number', holds: Number.isInteger }),
    default: USUAL_EVALUATION.seed,
  },
  shard: text('I/N: only part I of N of the chosen utterances'),
  normalizer: oneOf(
    NORMALIZER_NAMES,
    'of the tables; by default that of the named dataset, and basic for others',
  ),
  'text-column': text('the column of the references; COLUMN.FIELD of a struct'),
  'audio-column': text('the column of the recordings'),
  'keep-empty': flag('measure recordings without a reference too: all their words are insertions'),
  'max-download': { ...text('refuse to fetch more than this'), default: '1GB' },
  language: SHARED.language,
  context: SHARED.context,
  hotwords: text(
    'measure each model with lists of hotwords, too: a .tsv of id, text, rare words and list, or manifest for its column hotwords',
  ),
  prompt: {
    ...oneOf(['published', 'legacy'], "legacy: the wrong ids of older exporters' prompt"),
    default: USUAL_EVALUATION.prompt,
  },
  'max-new-tokens': SHARED['max-new-tokens'],
  'max-piece': { ...SHARED['max-piece'], default: USUAL_EVALUATION.maxPieceSeconds },
  'loop-guard': flag('stop output that repeats itself', true),
  retry: flag('do again what could not be read or transcribed'),
  'engine-timeout': {
    ...number('seconds for one clip', { text: 'seconds above 0', holds: (value) => Number(value) > 0 }),
    default: USUAL_EVALUATION.engineTimeout,
  },
  threads: number('onnxruntime threads of each worker; all cores, divided by the workers'),
  provider: {
    ...text('execution provider of onnxruntime, of models that name none'),
    default: USUAL_PROVIDER,
  },
  prefill: oneOf(
    PREFILL_KINDS,
    'of 4-bit variants: prompts in 8 bits, where the release has the graph, or as the steps',
  ),
  batch: {
    ...number(
      'utterances that each worker decodes together; the same transcripts in less time and more memory',
    ),
    default: 1,
  },
  steady: flag(
    'the same transcripts whatever --batch is; --no-steady: a single one is as fast as in transcribe',
    true,
  ),
  workers: { ...number('utterances at a time, each with its own sessions'), default: 1 },
  output: text("folder of the results; under output/evaluation by default, or the user's state folder"),
  cache: text("folder of fetched audio; output/.cache by default, or the user's cache folder"),
} as const

const MERGE = {
  name: 'merge',
  about: 'Put the parts of an evaluation together that ran with --shard.',
  words: { folders: { type: 'string', array: true, demandOption: true, describe: "the parts' folders" } },
  table: { output: { ...text('folder of the whole'), demandOption: true } },
  exits: LINE.exits,
} as const

/** For the reference of commands. */
export const EVALUATE: DescribedCommand = { line: LINE, commands: [{ name: '$0', table: OPTIONS }, MERGE] }

/**
 * Parse the command line of `npm run evaluate`.
 * @returns undefined when help or the version was printed
 * @throws Failure with exit code 2 for wrong usage
 */
export function parseEvaluate(args: readonly string[]): Promise<EvaluateCommand | undefined> {
  return parseArguments<EvaluateCommand>(LINE, args, (parser, take) => {
    const all = withCommand(parser, { name: '$0', table: OPTIONS }, (parsed) => take(optionsOf(parsed)))
    return withCommand(all, MERGE, (parsed) => take({ command: 'merge', ...parsed }))
  })
}

type Parsed = OptionsOf<typeof OPTIONS>

function optionsOf(parsed: Parsed): EvaluateCommand {
  const { models, engine: engines, nSamples, sample, seed, shard, ...named } = parsed
  refuseWithoutUse(parsed)
  const { language, maxDownload, maxPiece, loopGuard, steady, threads, provider, ...options } = named
  return {
    command: 'evaluate',
    ...options,
    ...{ models: modelsOf(models, engines, parsed.hotwords !== undefined, provider), engines },
    selection: selectionOf(parsed),
    maxDownload: bytesOf(maxDownload),
    maxPieceSeconds: maxPiece,
    stopLoops: loopGuard,
    isSteady: steady,
    ...(language && { language: languageName(language) }),
    threads: threads ?? usualThreads(options.workers),
  }
}

/** Lists are contexts of models. */
function refuseWithoutUse({ hotwords, context, models }: Parsed): void {
  if (hotwords === undefined) return
  if (context) throw usage('Found --hotwords with --context, wanted one of them.')
  if (models.length === 0)
    throw usage('Found --hotwords without --models: commands of other engines take no lists.')
}

function modelsOf(
  models: readonly string[],
  engines: readonly string[],
  hasLists: boolean,
  provider: string,
): ModelSpec[] {
  if (models.length + engines.length === 0)
    throw usage('Found no --models and no --engine, wanted at least one.')
  const specs = models.map((model) => parseModel(model, provider))
  const names = [
    ...specs.flatMap(({ name }) => (hasLists ? [name, withHotwords(name)] : [name])),
    ...engines.map((engine) => engine.split(':')[0]),
  ]
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) throw usage(`Two systems are named ${twice}, wanted names of their own.`)
  return specs
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

/**
 * "0.6B int4:output/qwen3-asr-0.6b:int4", "int4@webgpu:..."; a single letter before a colon is a Windows drive.
 * @param usual the provider where none is named
 */
function parseModel(given: string, usual: string): ModelSpec {
  const [, name, folder, variant = FP32] = /^([^:]+):((?:[A-Za-z]:)?[^:]+)(?::([\w-]+))?$/.exec(given) ?? []
  if (name === undefined || folder === undefined) {
    throw usage(`--models "${given}" is not NAME:FOLDER or NAME:FOLDER:VARIANT.`)
  }
  const [, own = usual] = name.split(/@(?=[^@]*$)/)
  if (name.startsWith('@') || own === '')
    throw usage(
      `--models "${given}" names no ${own === '' ? 'provider' : 'model'}, wanted NAME@PROVIDER:FOLDER.`,
    )
  return { name, folder, variant: variantName(variant), provider: own }
}

function bytesOf(given: string): number {
  const [, value, unit = ''] = /^([\d.]+)\s*([kMGT]?)B?$/i.exec(given) ?? []
  const power = ['', 'K', 'M', 'G', 'T'].indexOf(unit.toUpperCase())
  const bytes = Number(value) * 1000 ** power
  if (!Number.isFinite(bytes)) throw usage(`--max-download is "${given}", wanted a size such as 500MB.`)
  return bytes
}
