import os from 'node:os'
import { join } from 'node:path'
import yargs from 'yargs'
import { languageName } from '../../eval/languages.ts'
import { parseOrPrint, repeatedOption, strictly } from '../arguments.ts'
import { describeError, EXIT, Failure } from '../failure.ts'
import { checkRepoName } from '../hub/hub-id.ts'
import { BUNDLED_SPEECH, MODELS, PROJECT } from '../models.ts'
import { GRAPH_DEFAULTS, type Options } from '../options.ts'
import { STAGE_NAMES, type StageName } from '../stage-names.ts'

const COMMAND = 'npm run pipeline --'
const LISTED = `Run ${COMMAND} --help for all options.`
const MAX_THREADS = 8
/** DirectML and the fused operators want 18; onnxruntime 1.30 and torch 2.13 are tried up to 23. */
const OLDEST_OPSET = 18
const NEWEST_OPSET = 23

/**
 * Parse the command line.
 * @returns undefined when help or the version was asked for and printed
 * @throws Failure with exit code 2 for wrong usage
 */
export async function parseCommandLine(args: readonly string[]): Promise<Options | undefined> {
  const parsed = await parseOrPrint(parser(), args)
  if (!parsed) return undefined
  const stages = chosenStages(parsed)
  if (parsed.repo !== undefined) checkRepoName(parsed.repo)
  else if (stages.includes('publish') && !parsed.dryRun)
    throw usage('--no-dry-run needs to know where to publish.', 'Add --repo owner/name.')
  if ((parsed.skipEncoder || parsed.skipDecoder) && stages.some((name) => NEEDS_ALL.has(name))) {
    throw usage('--skip-encoder and --skip-decoder leave a part of the release out.', 'Add --until quantize.')
  }
  return {
    model: parsed.model,
    output: parsed.output,
    stages,
    force: parsed.force,
    keepIntermediate: parsed.keepIntermediate,
    device: parsed.device,
    opset: parsed.opset,
    skipEncoder: parsed.skipEncoder,
    skipDecoder: parsed.skipDecoder,
    blockSize: parsed.blockSize,
    accuracyLevel: parsed.accuracyLevel,
    symmetric: parsed.symmetric,
    prefillInt8: parsed.prefillInt8,
    speech: parsed.speech,
    threads: parsed.threads,
    dryRun: parsed.dryRun,
    json: parsed.json,
    debug: parsed.debug,
    ...(parsed.name !== undefined && { name: parsed.name }),
    ...(parsed.python !== undefined && { python: parsed.python }),
    ...(parsed.venv !== undefined && { venv: parsed.venv }),
    ...(parsed.maxNewTokens !== undefined && { maxNewTokens: parsed.maxNewTokens }),
    ...(parsed.language !== undefined && { language: parsed.language }),
    ...(parsed.context !== undefined && { context: parsed.context }),
    ...(parsed.repo !== undefined && { repo: parsed.repo }),
  }
}

const NEEDS_ALL = new Set<StageName>(['validate', 'evaluate', 'package', 'publish'])

function parser() {
  const stage = { choices: STAGE_NAMES, requiresArg: true } as const
  const options = yargs()
    .scriptName(COMMAND)
    .usage(
      '$0 --model MODEL [options]\n\nTurn a Qwen3-ASR checkpoint into a validated, measured, packaged ONNX release.',
    )
    .option('model', {
      type: 'string',
      requiresArg: true,
      demandOption: true,
      describe: `${Object.keys(MODELS).join(', ')}, a checkpoint directory, or a hub id owner/name[@revision]`,
    })
    .option('output', {
      type: 'string',
      default: join(PROJECT, 'output'),
      defaultDescription: 'output',
      describe: 'parent of the model directory',
    })
    .option('name', {
      type: 'string',
      requiresArg: true,
      describe: "the release's name (default: from the model)",
    })
    .option('only', { ...stage, describe: 'run one stage' })
    .option('from', { ...stage, describe: 'begin with this stage' })
    .option('until', { ...stage, describe: 'end with this stage' })
    .option('force', {
      type: 'boolean',
      default: false,
      describe: 'run stages even when nothing has changed',
    })
    .option('keep-intermediate', {
      type: 'boolean',
      default: false,
      describe: 'keep the exported graphs after the rewrite',
    })
    .option('python', {
      type: 'string',
      requiresArg: true,
      describe: 'use this interpreter instead of making .venv',
    })
    .option('venv', {
      type: 'string',
      requiresArg: true,
      describe: 'where to make the Python environment (default: .venv)',
    })
    .option('device', { type: 'string', default: 'cpu', describe: 'torch device of the export' })
    .option('opset', { type: 'number', default: GRAPH_DEFAULTS.opset, describe: 'ONNX opset of the graphs' })
    .option('skip-encoder', { type: 'boolean', default: false, describe: 'do not export the encoder' })
    .option('skip-decoder', { type: 'boolean', default: false, describe: 'do not export the decoder' })
    .option('block-size', {
      type: 'number',
      default: GRAPH_DEFAULTS.blockSize,
      choices: [16, 32, 64, 128, 256],
      describe: 'weights that share a scale in int4',
    })
    .option('accuracy-level', {
      type: 'number',
      default: GRAPH_DEFAULTS.accuracyLevel,
      choices: [0, 1, 2, 3, 4],
      describe: 'MatMulNBits accuracy level',
    })
    .option('symmetric', {
      type: 'boolean',
      default: GRAPH_DEFAULTS.symmetric,
      describe: 'int4 without zero points',
    })
    .option('prefill-int8', {
      type: 'boolean',
      default: GRAPH_DEFAULTS.prefillInt8,
      describe: 'int4: prompts with 8-bit products, two to four times as fast',
    })
    .option('speech', {
      type: 'string',
      default: BUNDLED_SPEECH,
      defaultDescription: 'bundled speech',
      describe: 'folder with manifest.jsonl to measure WER on',
    })
    .option('language', {
      type: 'string',
      requiresArg: true,
      describe: 'force this language, by name or ISO code',
    })
    .option('context', { type: 'string', requiresArg: true, describe: 'words the speech may contain' })
    .option('max-new-tokens', {
      type: 'number',
      describe: 'token limit of one transcript (default: 25 a second, and 512 at least)',
    })
    .option('threads', {
      type: 'number',
      default: Math.min(MAX_THREADS, os.availableParallelism()),
      defaultDescription: 'cores, at most 8',
      describe: 'onnxruntime threads',
    })
    .option('repo', {
      type: 'string',
      requiresArg: true,
      describe: 'hub repository to publish to, owner/name',
    })
    .option('dry-run', {
      type: 'boolean',
      default: true,
      describe: 'publish only says what it would do; --no-dry-run does it',
    })
    .option('json', { type: 'boolean', default: false, describe: 'one JSON event a line' })
    .option('debug', { type: 'boolean', default: false, describe: 'show stacks' })
    .example(`${COMMAND} --model tiny`, 'the checkpoint that ships with the project')
    .example(`${COMMAND} --model 0.6b --until quantize`, 'export, rewrite and quantize Qwen3-ASR-0.6B')
    .example(
      `${COMMAND} --model ./my-finetune --speech ./clips`,
      'a local checkpoint, measured on your own clips',
    )
    .example(`${COMMAND} --model tiny --from validate`, 'measure again')
    .epilog('Exit codes: 0 done, 1 failed, 2 wrong usage, 3 a gate failed, 130 interrupted.')
    .check(checkValues)
  return strictly(options, LISTED)
}

function checkValues(argv: Record<string, unknown>): true {
  const positive = (name: string) => {
    const value = argv[name]
    if (!Number.isInteger(value) || Number(value) < 1)
      throw usage(`--${name} is ${value}, wanted a whole number above 0.`)
  }
  const repeated = repeatedOption(argv)
  if (repeated) throw usage(`--${repeated} is given more than once.`)
  positive('threads')
  if (argv['max-new-tokens'] !== undefined) positive('max-new-tokens')
  const opset = Number(argv['opset'])
  if (!Number.isInteger(opset) || opset < OLDEST_OPSET || opset > NEWEST_OPSET) {
    throw usage(`--opset is ${argv['opset']}, wanted ${OLDEST_OPSET} to ${NEWEST_OPSET}.`)
  }
  if (typeof argv['language'] === 'string') checkLanguage(argv['language'])
  if (typeof argv['name'] === 'string' && !/^[\w][\w.-]*$/.test(argv['name'])) {
    throw usage(`--name is ${JSON.stringify(argv['name'])}, wanted letters, digits, dots and dashes.`)
  }
  return true
}

function checkLanguage(language: string): void {
  try {
    languageName(language)
  } catch (error) {
    const { message, hint } = describeError(error)
    throw usage(message, hint)
  }
}

function chosenStages(parsed: {
  only?: StageName | undefined
  from?: StageName | undefined
  until?: StageName | undefined
}): StageName[] {
  const { only, from, until } = parsed
  if (only && (from || until)) throw usage('--only goes without --from and --until.')
  const first = STAGE_NAMES.indexOf(only ?? from ?? 'export')
  const last = STAGE_NAMES.indexOf(only ?? until ?? 'publish')
  if (first > last)
    throw usage(`--from ${from} comes after --until ${until}.`, `The order is ${STAGE_NAMES.join(', ')}.`)
  return STAGE_NAMES.slice(first, last + 1)
}

function usage(message: string, hint = LISTED): Failure {
  return new Failure(message, hint, EXIT.usage)
}
