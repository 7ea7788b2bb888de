import yargs from 'yargs'
import { parseOrPrint, repeatedOption, strictly } from '../arguments.ts'
import { EXIT, Failure } from '../failure.ts'
import { checkRepoName } from '../hub/hub-id.ts'
import type { ReadBack } from '../publish/check-remote.ts'
import type { PublishChoices } from '../publish/publish.ts'

const COMMAND = 'npm run publish --'
const LISTED = `${COMMAND} --help lists the options.`

export interface PublishCommandOptions extends PublishChoices {
  /** undefined: the only one in output/ */
  readonly modelDir?: string
  readonly yes: boolean
  readonly asks: boolean
  readonly receipt?: string
  readonly json: boolean
  readonly debug: boolean
}

/**
 * @returns undefined when help was printed
 * @throws Failure with exit code 2 for wrong usage
 */
export async function parsePublish(args: readonly string[]): Promise<PublishCommandOptions | undefined> {
  let options: PublishCommandOptions | undefined
  const parser = yargs()
    .scriptName(COMMAND)
    .command(
      '$0 [model-dir]',
      'bring a packaged release to a repository of the Hugging Face Hub, and check what it holds then',
      (y) =>
        y
          .positional('model-dir', {
            type: 'string',
            describe: 'or its release folder; the only one in output/',
          })
          .options(OPTIONS),
      (parsed) => {
        options = optionsOf(parsed)
      },
    )
    .example(`${COMMAND} output/qwen3-asr-0.6b --repo me/qwen3-asr-0.6b-onnx --dry-run`, 'what would be done')
    .example(`${COMMAND} output/qwen3-asr-0.6b --repo me/qwen3-asr-0.6b-onnx --tag v1`, 'do it')
    .epilog(
      'Environment: HF_TOKEN (or hf auth login), HF_ENDPOINT. Exit codes: 0 done or nothing to do, 1 failed, 2 wrong usage, ' +
        '3 the release or what was stored is not right, 130 interrupted.',
    )
  await parseOrPrint(strictly(parser, LISTED), args)
  return options
}

const flag = (describe: string) => ({ type: 'boolean', default: false, describe }) as const
const text = (describe: string) => ({ type: 'string', requiresArg: true, describe }) as const

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
  archives: { type: 'boolean', default: true, describe: 'upload the tar.gz files too' },
  xet: flag('upload by the xet protocol: fewer bytes for small changes, much slower on the processor'),
  'allow-ungated': flag('publish a release whose gates did not pass'),
  verify: {
    choices: ['sample', 'full', 'none'] as const,
    requiresArg: true,
    describe: 'read back bytes of what was sent (sample), all of them, or none; sample by default',
  },
  receipt: text('where the receipt goes; publish-receipt.json in the model directory'),
  json: flag('one JSON event a line'),
  debug: flag('show stacks'),
} as const

interface Parsed {
  readonly modelDir?: string | undefined
  readonly repo: string
  readonly branch: string
  readonly private: boolean
  readonly createPr: boolean
  readonly message?: string | undefined
  readonly tag?: string | undefined
  readonly mirror: boolean
  readonly yes: boolean
  readonly archives: boolean
  readonly xet: boolean
  readonly allowUngated: boolean
  readonly dryRun: boolean
  readonly verify?: ReadBack | undefined
  readonly receipt?: string | undefined
  readonly json: boolean
  readonly debug: boolean
}

function optionsOf(parsed: Parsed): PublishCommandOptions {
  const repeated = repeatedOption(parsed)
  if (repeated) throw usage(`--${repeated} is given more than once.`)
  const { modelDir, message, tag, verify, receipt, xet, private: isPrivate } = parsed
  checkRepoName(parsed.repo)
  for (const [name, value] of Object.entries({ branch: parsed.branch, tag: tag ?? 'v1' })) {
    if (!/^[\w][\w./-]*$/.test(value) || value.includes('..'))
      throw usage(`--${name} is ${JSON.stringify(value)}, wanted letters, digits, dots, dashes and slashes.`)
  }
  if (tag !== undefined && parsed.createPr)
    throw usage(
      'Found --tag with --create-pr: a pull request that is not merged is not a release. Tag it when it is merged.',
    )
  const { repo, branch, createPr, mirror, yes, archives, allowUngated, dryRun, json, debug } = parsed
  return {
    ...{
      repo,
      branch,
      isPrivate,
      createPr,
      mirror,
      yes,
      archives,
      useXet: xet,
      allowUngated,
      dryRun,
      json,
      debug,
    },
    asks: !yes,
    ...(modelDir !== undefined && { modelDir }),
    ...(message !== undefined && { message }),
    ...(tag !== undefined && { tag }),
    ...(verify !== undefined && { readBack: verify }),
    ...(receipt !== undefined && { receipt }),
  }
}

function usage(message: string): Failure {
  return new Failure(message, LISTED, EXIT.usage)
}
