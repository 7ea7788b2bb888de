// SPDX-License-Identifier: Apache-2.0

import type { PackageOptions, VerifyCommandOptions } from '../release/packaging-options.ts'
import { VARIANT_NAMES } from '../variants.ts'
import {
  between,
  type CommandLine,
  type DescribedCommand,
  flag,
  number,
  parseArguments,
  SHARED,
  text,
  texts,
  usage,
  withCommand,
} from './arguments.ts'
import type { CommonOptions } from './run-command.ts'
import { variantList } from './variant-list.ts'

type Options = (PackageOptions | VerifyCommandOptions) & CommonOptions

const LINE: CommandLine = {
  command: 'npm run package --',
  usage: '[model-dir] [options]',
  about: 'Make release archives, checksums, manifest and model card of a validated model directory.',
  examples: [
    ['output/qwen3-asr-0.6b --evaluation output/evaluation/librispeech-other', 'with its figures'],
    ['verify qwen3-asr-0.6b-int4.tar.gz', 'a download, with manifest.json beside it'],
    ['verify --from-hub owner/name@v1 --against output/qwen3-asr-0.6b', 'what is published'],
  ],
  exits: { gate: 'a gate failed or a release is not right' },
}

const VARIANTS_OPTION = text(`some of ${VARIANT_NAMES.join(',')}, joined by commas`)

const PACKAGE = {
  variants: text(`${VARIANTS_OPTION.describe}; all that were made`),
  evaluation: texts(
    'folders of npm run evaluate that measured this model: their figures go into the model card',
  ),
  'allow-ungated': flag('package although a gate failed or is missing; the model card says so'),
  level: number('of gzip, 1 (fast) to 9 (small); 6 by default', between(1, 9)),
  threads: SHARED.threads,
} as const

const VERIFY = {
  'from-hub': text('owner/name[@revision] (HF_TOKEN, HF_ENDPOINT)'),
  against: text('a local release: report what differs'),
  manifest: text('of an archive: manifest.json, by default beside it'),
  variants: text(`${VARIANTS_OPTION.describe}; all that are complete`),
  keep: text('folder for the download or the unpacked archive'),
  threads: SHARED.threads,
} as const

const MODEL_DIR = { 'model-dir': { type: 'string', describe: 'the only one in output/' } } as const

const VERIFY_COMMAND = {
  name: 'verify',
  about:
    'Check an archive, a release folder or a published release: checksums, contract, loading, a clip of speech.',
  words: { target: { type: 'string', describe: 'FILE.tar.gz or a folder' } },
  table: VERIFY,
  exits: LINE.exits,
} as const

/** For the reference of commands. */
export const PACKAGE_COMMANDS: DescribedCommand = {
  line: LINE,
  commands: [{ name: '$0', words: MODEL_DIR, table: PACKAGE }, VERIFY_COMMAND],
}

/**
 * Parse the command line of `npm run package`.
 * @returns undefined when help or the version was printed
 * @throws Failure with exit code 2 for wrong usage
 */
export function parsePackage(args: readonly string[]): Promise<Options | undefined> {
  return parseArguments<Options>(LINE, args, (parser, take) => {
    const all = withCommand(parser, { name: '$0', words: MODEL_DIR, table: PACKAGE }, (parsed) => {
      const { variants, evaluation: evaluations = [], ...options } = parsed
      const chosen = variants === undefined ? {} : { variants: variantList(variants) }
      take({ command: 'package', ...options, evaluations, ...chosen })
    })
    return withCommand(all, VERIFY_COMMAND, ({ variants, ...options }) => {
      if ((options.target === undefined) === (options.fromHub === undefined))
        throw usage('Found no release to verify, or two; wanted an archive, a folder, or --from-hub.')
      take({ command: 'verify', ...options, ...(variants && { variants: variantList(variants) }) })
    })
  })
}
