// SPDX-License-Identifier: Apache-2.0

import { PREFERRED } from '../../eval/runtime/graphs.ts'
import { languageName } from '../../eval/runtime/languages.ts'
import { USUAL_PROVIDER } from '../../eval/runtime/providers.ts'
import { ALIGN_FORMATS, type AlignOptions } from '../transcribe/align-formats.ts'
import { gateLimitsOf, VARIANT_NAMES } from '../variants.ts'
import {
  type CommandLine,
  type DescribedCommand,
  flag,
  oneOf,
  parseOptions,
  SHARED,
  text,
  usage,
} from './arguments.ts'
import { PROVIDERS_LISTED } from './provider-list.ts'
import type { CommonOptions } from './run-command.ts'

const LINE: CommandLine = {
  command: 'npm run align --',
  usage: '<audio> <text> [options]',
  about: 'Find when each word of a text is said in a recording, with the release of a forced aligner.',
  examples: [
    ['talk.flac talk.txt', 'words and times as JSON, with the only aligner in output/'],
    ['talk.flac "What was said." --format srt', 'subtitles'],
    ['lecture.mp3 lecture.txt --recognizer output/qwen3-asr-0.6b', 'a recording of any length'],
    ['talk.flac talk.txt --language German --format textgrid', 'for Praat'],
  ],
}

const OPTIONS = {
  'model-dir': text('release directory of a forced aligner; the only one in output/'),
  recognizer: text('release directory of a recognizer, for long recordings; the only one in output/'),
  variant: text(
    `${VARIANT_NAMES.filter((name) => gateLimitsOf(name, 'aligner')).join(', ')}; ${PREFERRED} where there is one`,
  ),
  language: text('of the text: name, ISO code or tag (zh-CN); decides how it is cut into words'),
  format: {
    ...oneOf(ALIGN_FORMATS, 'srt, vtt: subtitles; ctm: NIST; textgrid: Praat'),
    default: 'json',
  },
  cache: flag(
    "keep the prompts' weights in 8 bits for the next start; --no-cache computes them each time",
    true,
  ),
  threads: SHARED.threads,
  provider: {
    ...text(`execution provider of onnxruntime: ${PROVIDERS_LISTED}`),
    default: USUAL_PROVIDER,
  },
} as const

const WORDS = {
  audio: { type: 'string', default: '', defaultDescription: 'none', describe: 'the recording' },
  text: {
    type: 'string',
    default: '',
    defaultDescription: 'none',
    describe: 'what is said in it, or a file that ends in .txt',
  },
} as const

/** For the reference of commands. */
export const ALIGN: DescribedCommand = {
  line: LINE,
  commands: [{ name: '$0', words: WORDS, table: OPTIONS }],
}

/**
 * Parse the command line of `npm run align`.
 * @returns undefined when help or the version was printed
 * @throws Failure with exit code 2 for wrong usage
 */
export function parseAlign(args: readonly string[]): Promise<(AlignOptions & CommonOptions) | undefined> {
  return parseOptions(
    LINE,
    args,
    OPTIONS,
    ({ language, ...options }) => {
      if (args.includes('-'))
        throw usage(
          'Stdin (-) cannot be aligned: a long recording is read twice.',
          'Write it to a file first.',
        )
      if (options.audio === '') throw usage('Found no recording, wanted one.')
      if (options.text === '') throw usage('Found no text, wanted what is said in the recording.')
      if (options.json && options.format !== 'json')
        throw usage(`--json prints events, found --format ${options.format}.`, 'Leave one of them out.')
      return { ...options, ...(language !== undefined && { language: languageName(language) }) }
    },
    WORDS,
  )
}
