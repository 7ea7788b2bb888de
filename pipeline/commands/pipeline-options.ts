// SPDX-License-Identifier: Apache-2.0

import { availableParallelism } from 'node:os'
import { FP32 } from '../../eval/runtime/graphs.ts'
import { USUAL_PROVIDER } from '../../eval/runtime/providers.ts'
import { checkRepoName } from '../hub/hub-id.ts'
import { BUNDLED_SPEECH, MODELS } from '../models.ts'
import { GRAPH_DEFAULTS, isEncoderCalibrated } from '../recipes.ts'
import { OUTPUT } from '../shared/own-places.ts'
import { STAGE_NAMES, type StageName } from '../shared/stage-names.ts'
import type { Options } from '../stages/run-options.ts'
import { rowOf, USUAL_VARIANTS, VARIANT_NAMES } from '../variants.ts'
import {
  between,
  type CommandLine,
  type DescribedCommand,
  flag,
  number,
  type OptionsOf,
  oneOf,
  parseOptions,
  SHARED,
  text,
  usage,
} from './arguments.ts'
import { CALIBRATION } from './calibration-options.ts'
import { PROVIDERS_LISTED, providerList } from './provider-list.ts'
import { variantList } from './variant-list.ts'

const MAX_THREADS = 8
/** DirectML and the fused operators need 18; onnxruntime 1.30 and torch 2.13 are tried up to 23. */
const [OLDEST_OPSET, NEWEST_OPSET] = [18, 23]

const LINE: CommandLine = {
  command: 'npm run pipeline --',
  usage: '--model MODEL [options]',
  about: 'Turn a Qwen3-ASR checkpoint into a validated, measured, packaged ONNX release.',
  examples: [
    ['--model tiny', 'the checkpoint that ships with the project'],
    ['--model 0.6b --until quantize', 'export, rewrite and quantize Qwen3-ASR-0.6B'],
    ['--model ./my-finetune --speech ./clips', 'a local checkpoint, measured on your own clips'],
    ['--model ./my-adapter --base 0.6b', 'a LoRA adapter, merged with its base'],
    ['--model tiny --from validate', 'measure again'],
  ],
  exits: { gate: 'a gate failed' },
}

const OPTIONS = {
  model: {
    ...text(
      `${Object.keys(MODELS).join(', ')}, a directory with a checkpoint or a LoRA adapter, or a hub id owner/name[@revision]`,
    ),
    demandOption: true,
  },
  base: text('of an adapter: the checkpoint to merge it with (default: the one that it names)'),
  output: {
    ...text('parent of the model directory'),
    default: OUTPUT,
    defaultDescription: 'output',
  },
  name: text("the release's name (default: from the model)"),
  only: oneOf(STAGE_NAMES, 'run one stage'),
  from: oneOf(STAGE_NAMES, 'begin with this stage'),
  until: oneOf(STAGE_NAMES, 'end with this stage'),
  force: flag('run stages even when nothing has changed'),
  'keep-intermediate': flag('keep the exported graphs after the rewrite'),
  python: SHARED.python,
  venv: text('where to make the Python environment (default: .venv)'),
  device: { ...text('torch device of the export; only cpu is tested'), default: 'cpu' },
  opset: {
    ...number('ONNX opset of the graphs', between(OLDEST_OPSET, NEWEST_OPSET)),
    default: GRAPH_DEFAULTS.opset,
  },
  'skip-encoder': flag('do not export the encoder'),
  'skip-decoder': flag('do not export the decoder'),
  'block-size': {
    ...number('4-bit weights that share a scale (default: that of the variant)'),
    choices: [16, 32, 64, 128, 256],
  },
  'accuracy-level': {
    ...number('MatMulNBits accuracy level', between(0, 4)),
    default: GRAPH_DEFAULTS.accuracyLevel,
    choices: [0, 1, 2, 3, 4],
  },
  symmetric: flag('4-bit weights without zero points', GRAPH_DEFAULTS.symmetric),
  'prefill-int8': flag(
    '4-bit variants: prompts with 8-bit products, two to four times as fast',
    GRAPH_DEFAULTS.prefillInt8,
  ),
  variants: {
    ...text(`which to make, of ${VARIANT_NAMES.join(', ')}; ${FP32} always`),
    default: USUAL_VARIANTS.join(','),
  },
  ...CALIBRATION,
  providers: {
    ...text(
      `execution providers to validate for, of ${PROVIDERS_LISTED}; speech is transcribed with the first`,
    ),
    default: USUAL_PROVIDER,
  },
  speech: {
    ...text('folder with manifest.jsonl to measure WER on'),
    default: BUNDLED_SPEECH,
    defaultDescription: 'bundled speech',
  },
  language: SHARED.language,
  context: SHARED.context,
  'max-new-tokens': SHARED['max-new-tokens'],
  threads: {
    ...SHARED.threads,
    default: Math.min(MAX_THREADS, availableParallelism()),
    defaultDescription: 'cores, at most 8',
  },
  repo: text('hub repository to publish to, owner/name'),
  'dry-run': flag('publish only prints its plan; --no-dry-run does it', true),
} as const

const NEEDS_ALL: readonly StageName[] = ['validate', 'evaluate', 'package', 'publish']

/** For the reference of commands. */
export const PIPELINE: DescribedCommand = { line: LINE, commands: [{ name: '$0', table: OPTIONS }] }

/**
 * Parse the command line of `npm run pipeline`.
 * @returns undefined when help or the version was asked for and printed
 * @throws Failure with exit code 2 for wrong usage
 */
export function parsePipeline(args: readonly string[]): Promise<Options | undefined> {
  return parseOptions(LINE, args, OPTIONS, optionsOf)
}

function optionsOf({
  only,
  from,
  until,
  variants,
  providers,
  ...options
}: OptionsOf<typeof OPTIONS>): Options {
  const stages = chosenStages(only, from, until)
  const { repo, name, dryRun, skipEncoder, skipDecoder } = options
  if (repo !== undefined) checkRepoName(repo)
  else if (stages.includes('publish') && !dryRun)
    throw usage('--no-dry-run needs a repository.', 'Add --repo owner/name.')
  if ((skipEncoder || skipDecoder) && stages.some((stage) => NEEDS_ALL.includes(stage)))
    throw usage('--skip-encoder and --skip-decoder leave a part of the release out.', 'Add --until quantize.')
  if (name !== undefined && !/^[\w][\w.-]*$/.test(name))
    throw usage(`--name is ${JSON.stringify(name)}, wanted letters, digits, dots and dashes.`)
  const listed = variantList(`${FP32},${variants}`)
  if (skipDecoder && !skipEncoder && stages.includes('quantize')) requireNoCalibratedEncoder(listed)
  return { ...options, ...{ stages, variants: listed, providers: providerList(providers) } }
}

/** Encoders are judged by what FP32's decoder makes of their features. */
function requireNoCalibratedEncoder(variants: readonly string[]): void {
  const first = variants.find((name) => {
    const { recipe } = rowOf(name)
    return recipe !== undefined && isEncoderCalibrated(recipe)
  })
  if (first === undefined) return
  throw usage(
    `The encoder of ${first} needs a calibration, which FP32's decoder makes.`,
    `Leave --skip-decoder or ${first} out.`,
  )
}

function chosenStages(only?: StageName, from?: StageName, until?: StageName): StageName[] {
  if (only && (from || until)) throw usage('--only goes without --from and --until.')
  const first = STAGE_NAMES.indexOf(only ?? from ?? 'export')
  const last = STAGE_NAMES.indexOf(only ?? until ?? 'publish')
  if (first > last)
    throw usage(`--from ${from} comes after --until ${until}.`, `The order is ${STAGE_NAMES.join(', ')}.`)
  return STAGE_NAMES.slice(first, last + 1)
}
