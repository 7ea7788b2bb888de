// SPDX-License-Identifier: Apache-2.0

import { hubAddress } from '../hub/connection.ts'
import { EXIT } from '../shared/failure.ts'
import { shellWord, shortPath } from '../shared/next-steps.ts'
import { formatBytes } from '../shared/output-files.ts'
import { type CommandLine, type DescribedCommand, number, parseOptions, text } from './arguments.ts'
import { type Output, runnable } from './run-command.ts'

const DEFAULT_PORT = 8080

const LINE: CommandLine = {
  command: 'npm run page --',
  usage: '<dir> [options]',
  about:
    'Build a static page that transcribes in the browser, with releases of a folder, an address or the hub.',
  examples: [
    ['output/page --serve', 'build it, and try it on this machine'],
    ['public --release me/qwen3-asr-0.6b-onnx', 'with a release that it offers first'],
  ],
  remark: 'Environment: HF_ENDPOINT.',
}

const OPTIONS = {
  hub: text('address of the hub for owner/name; HF_ENDPOINT, or else the Hugging Face Hub'),
  release: text('owner/name[@revision] or an address: the release that the page offers first'),
  serve: {
    ...number('serve it to this machine on this port until Ctrl-C', {
      text: 'a port from 0 to 65535',
      holds: (value) => Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 65535,
    }),
    requiresArg: false,
    coerce: (value: number | undefined) => value ?? DEFAULT_PORT,
    defaultDescription: `${DEFAULT_PORT} when no port is given`,
  },
} as const

const WORDS = {
  dir: {
    type: 'string',
    demandOption: true,
    describe: 'that the page is built in, or an older page to replace',
  },
} as const

/** For the reference of commands. */
export const PAGE: DescribedCommand = { line: LINE, commands: [{ name: '$0', words: WORDS, table: OPTIONS }] }

/** The command `npm run page`. */
export const run = runnable({
  parse: parsePage,
  stdout: 'results',
  async run({ dir, serve, release, hub }, output, signal) {
    const { buildPage } = await import('../page/build-page.ts') // the bundler takes its time to load
    const choices = { hub: hubAddress(hub === undefined ? process.env : { HF_ENDPOINT: hub }) }
    const built = await buildPage(dir, { ...choices, ...(release !== undefined && { release }) })
    const bytes = built.files.reduce((sum, { size }) => sum + size, 0)
    const folder = shortPath(dir)
    output.report({ page: folder, ...built, bytes }, () => [
      `${folder}: ${built.files.length} files, ${formatBytes(bytes)}. Any host of static files will do, with https.`,
      ...(serve === undefined ? [`try it: npm run page -- ${shellWord(folder)} --serve`] : []),
    ])
    if (serve !== undefined) await serveUntil(dir, serve, output, signal)
    return EXIT.done
  },
})

/**
 * Parse the command line of `npm run page`.
 * @returns undefined when help or the version was printed
 * @throws Failure with exit code 2 for wrong usage
 */
export function parsePage(args: readonly string[]) {
  return parseOptions(LINE, args, OPTIONS, (options) => options, WORDS)
}

/** Resolves at Ctrl-C, which is how it is meant to end. */
async function serveUntil(dir: string, port: number, output: Output, signal: AbortSignal): Promise<void> {
  const { servePage } = await import('../page/serve-page.ts')
  const { url, close } = await servePage(dir, port)
  output.report({ url }, () => [`${url} serves it until Ctrl-C.`])
  if (!signal.aborted)
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
  await close()
}
