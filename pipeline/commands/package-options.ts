import os from 'node:os'
import yargs from 'yargs'
import { parseOrPrint, repeatedOption, strictly } from '../arguments.ts'
import { EXIT, Failure } from '../failure.ts'
import { VARIANTS, type Variant, variantLabel } from '../layout.ts'

const COMMAND = 'npm run package --'
const LISTED = `${COMMAND} --help and ${COMMAND} verify --help list the options.`
const LABELS = VARIANTS.map(variantLabel)

interface Common {
  readonly threads: number
  readonly json: boolean
  readonly debug: boolean
}

export interface PackageOptions extends Common {
  readonly command: 'package'
  /** undefined: the only one in output/ */
  readonly modelDir?: string
  readonly variants: readonly Variant[]
  readonly evaluations: readonly string[]
  readonly allowUngated: boolean
  readonly level?: number
}

export interface VerifyCommandOptions extends Common {
  readonly command: 'verify'
  /** an archive or a folder; undefined with fromHub */
  readonly target?: string
  /** owner/name[@revision] */
  readonly fromHub?: string
  /** a local release to compare with */
  readonly against?: string
  readonly manifest?: string
  /** labels */
  readonly variants?: readonly string[]
  /** where a download or an unpacked archive stays; a temporary folder by default */
  readonly keep?: string
}

/**
 * @returns undefined when help was printed
 * @throws Failure with exit code 2 for wrong usage
 */
export async function parsePackage(
  args: readonly string[],
): Promise<PackageOptions | VerifyCommandOptions | undefined> {
  let options: PackageOptions | VerifyCommandOptions | undefined
  const parser = yargs()
    .scriptName(COMMAND)
    .command(
      '$0 [model-dir]',
      'make release archives, checksums, manifest and model card of a validated model directory',
      (y) =>
        y.positional('model-dir', { type: 'string', describe: 'the only one in output/' }).options(PACKAGE),
      (parsed) => {
        options = packageOptions(parsed)
      },
    )
    .command(
      'verify [target]',
      'check an archive, a release folder or a published release: checksums, contract, loading, a clip of speech',
      (y) => y.positional('target', { type: 'string', describe: 'FILE.tar.gz or a folder' }).options(VERIFY),
      (parsed) => {
        options = verifyOptions(parsed)
      },
    )
    .example(
      `${COMMAND} output/qwen3-asr-0.6b --evaluation output/evaluation/librispeech-other`,
      'with its figures',
    )
    .example(`${COMMAND} verify qwen3-asr-0.6b-int4.tar.gz`, 'a download, with manifest.json beside it')
    .example(
      `${COMMAND} verify --from-hub owner/name@v1 --against output/qwen3-asr-0.6b`,
      'what is published',
    )
    .epilog(
      'Exit codes: 0 done, 1 failed, 2 wrong usage, 3 a gate failed or a release is not right, 130 interrupted.',
    )
  await parseOrPrint(strictly(parser, LISTED), args)
  return options
}

const COMMON = {
  threads: {
    type: 'number',
    default: os.availableParallelism(),
    defaultDescription: 'cores',
    describe: 'onnxruntime threads',
  },
  json: { type: 'boolean', default: false, describe: 'one JSON event a line' },
  debug: { type: 'boolean', default: false, describe: 'show stacks' },
} as const

const VARIANTS_OPTION = {
  type: 'string',
  requiresArg: true,
  describe: `some of ${LABELS.join(',')}, joined by commas`,
} as const

const PACKAGE = {
  variants: { ...VARIANTS_OPTION, default: LABELS.join(',') },
  evaluation: {
    type: 'string',
    array: true,
    requiresArg: true,
    describe: 'folders of npm run evaluate that measured this model: their figures go into the model card',
  },
  'allow-ungated': {
    type: 'boolean',
    default: false,
    describe: 'package although parity or WER failed or is missing; the model card says so',
  },
  level: { type: 'number', requiresArg: true, describe: 'of gzip, 1 (fast) to 9 (small); 6 by default' },
  ...COMMON,
} as const

const VERIFY = {
  'from-hub': {
    type: 'string',
    requiresArg: true,
    describe: 'owner/name[@revision] (HF_TOKEN, HF_ENDPOINT)',
  },
  against: { type: 'string', requiresArg: true, describe: 'a local release: report what differs' },
  manifest: {
    type: 'string',
    requiresArg: true,
    describe: 'of an archive: manifest.json, by default beside it',
  },
  variants: { ...VARIANTS_OPTION, describe: `${VARIANTS_OPTION.describe}; all that are complete` },
  keep: { type: 'string', requiresArg: true, describe: 'folder for the download or the unpacked archive' },
  ...COMMON,
} as const

function packageOptions(
  parsed: Common & {
    readonly modelDir?: string | undefined
    readonly variants: string
    readonly evaluation?: readonly string[] | undefined
    readonly allowUngated: boolean
    readonly level?: number | undefined
  },
): PackageOptions {
  refuseRepeated(parsed)
  const { modelDir, variants, evaluation = [], allowUngated, level } = parsed
  if (level !== undefined && !(Number.isInteger(level) && level >= 1 && level <= 9))
    throw usage(`--level is ${level}, wanted 1 to 9.`)
  const labels = labelsOf(variants)
  return {
    ...{ command: 'package', ...commonOf(parsed), evaluations: evaluation, allowUngated },
    variants: VARIANTS.filter((variant) => labels.includes(variantLabel(variant))),
    ...(modelDir !== undefined && { modelDir }),
    ...(level !== undefined && { level }),
  }
}

function verifyOptions(
  parsed: Common & {
    readonly target?: string | undefined
    readonly fromHub?: string | undefined
    readonly against?: string | undefined
    readonly manifest?: string | undefined
    readonly variants?: string | undefined
    readonly keep?: string | undefined
  },
): VerifyCommandOptions {
  refuseRepeated(parsed)
  const { target, fromHub, against, manifest, variants, keep } = parsed
  if ((target === undefined) === (fromHub === undefined))
    throw usage('Found no release to verify, or two; wanted an archive, a folder, or --from-hub.')
  return {
    ...{ command: 'verify', ...commonOf(parsed) },
    ...(target !== undefined && { target }),
    ...(fromHub !== undefined && { fromHub }),
    ...(against !== undefined && { against }),
    ...(manifest !== undefined && { manifest }),
    ...(variants !== undefined && { variants: labelsOf(variants) }),
    ...(keep !== undefined && { keep }),
  }
}

function refuseRepeated(parsed: object): void {
  const repeated = repeatedOption(parsed, ['evaluation'])
  if (repeated) throw usage(`--${repeated} is given more than once.`)
}

function commonOf({ threads, json, debug }: Common): Common {
  if (!(Number.isInteger(threads) && threads > 0))
    throw usage(`--threads is ${threads}, wanted a whole number above 0.`)
  return { threads, json, debug }
}

/** Labels in any case. */
function labelsOf(text: string): string[] {
  return text.split(',').map((given) => {
    const label = LABELS.find((known) => known.toLowerCase() === given.trim().toLowerCase())
    if (label === undefined)
      throw usage(`--variants names ${JSON.stringify(given)}, wanted some of ${LABELS.join(', ')}.`)
    return label
  })
}

function usage(message: string): Failure {
  return new Failure(message, LISTED, EXIT.usage)
}
