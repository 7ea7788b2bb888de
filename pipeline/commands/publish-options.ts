// SPDX-License-Identifier: Apache-2.0

import { checkRepoName } from '../hub/hub-id.ts'
import type { PublishCommandOptions } from '../publish/run-publish.ts'
import {
  type CommandLine,
  type DescribedCommand,
  flag,
  type OptionsOf,
  oneOf,
  parseOptions,
  text,
  usage,
} from './arguments.ts'
import type { CommonOptions } from './run-command.ts'

type Options = PublishCommandOptions & CommonOptions
type Names = Pick<OptionsOf<typeof OPTIONS>, 'repo' | 'branch' | 'tag' | 'createPr'>

const LINE: CommandLine = {
  command: 'npm run publish --',
  usage: '[model-dir] --repo OWNER/NAME [options]',
  about: 'Bring a packaged release to a repository of the Hugging Face Hub, and check what it holds then.',
  examples: [
    ['output/qwen3-asr-0.6b --repo me/qwen3-asr-0.6b-onnx --dry-run', 'what would be done'],
    ['output/qwen3-asr-0.6b --repo me/qwen3-asr-0.6b-onnx --tag v1', 'do it'],
  ],
  exits: { done: 'done or nothing to do', gate: 'the release or what was stored is not right' },
  remark: 'Environment: HF_TOKEN (or hf auth login), HF_ENDPOINT.',
}

const OPTIONS = {
  repo: { ...text('owner/name of a model repository; made when it is not there'), demandOption: true },
  'dry-run': flag('print the plan and stop'),
  branch: { ...text('branch; made when it is not there'), default: 'main' },
  private: flag('make a new repository private'),
  'create-pr': flag('open a pull request instead of committing to the branch'),
  message: text("the commit's first line"),
  tag: text('tag the new commit'),
  mirror: flag('delete everything else in the repository, but .gitattributes'),
  yes: flag('do not ask before deleting: what --mirror finds, or files of the release that is there'),
  archives: flag('upload the tar.gz files too', true),
  xet: flag('upload by the xet protocol: fewer bytes for small changes, much slower on the processor'),
  'allow-ungated': flag('publish a release whose gates did not pass'),
  verify: oneOf(
    ['sample', 'full', 'none'],
    'read back bytes of what was sent (sample), all of them, or none; sample by default',
  ),
  receipt: text('where the receipt goes; publish-receipt.json in the model directory'),
} as const

const WORDS = {
  'model-dir': { type: 'string', describe: 'or its release folder; the only one in output/' },
} as const

/** For the reference of commands. */
export const PUBLISH: DescribedCommand = {
  line: LINE,
  commands: [{ name: '$0', words: WORDS, table: OPTIONS }],
}

/**
 * Parse the command line of `npm run publish`.
 * @returns undefined when help or the version was printed
 * @throws Failure with exit code 2 for wrong usage
 */
export function parsePublish(args: readonly string[]): Promise<Options | undefined> {
  return parseOptions(
    LINE,
    args,
    OPTIONS,
    ({ private: isPrivate, xet: useXet, verify: readBack, ...options }) => {
      checkNames(options)
      const words = args.filter((arg) => !/^--dry-?run(=true)?$/i.test(arg))
      return { ...options, words, isPrivate, useXet, asks: !options.yes, ...(readBack && { readBack }) }
    },
    WORDS,
  )
}

function checkNames({ repo, branch, tag, createPr }: Names): void {
  checkRepoName(repo)
  for (const [name, value] of Object.entries({ branch, tag: tag ?? 'v1' })) {
    if (!/^[\w][\w./-]*$/.test(value) || value.includes('..'))
      throw usage(`--${name} is ${JSON.stringify(value)}, wanted letters, digits, dots, dashes and slashes.`)
  }
  if (tag !== undefined && createPr)
    throw usage(
      'Found --tag with --create-pr: a pull request that is not merged is not a release. Tag it when it is merged.',
    )
}
