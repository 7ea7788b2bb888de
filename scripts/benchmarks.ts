// SPDX-License-Identifier: Apache-2.0

import { type CommandLine, parseArguments, usage } from '../pipeline/commands/arguments.ts'
import { asProcess } from '../pipeline/commands/command-process.ts'
import { type CommonOptions, type RunCommand, runnable } from '../pipeline/commands/run-command.ts'
import { EXIT } from '../pipeline/shared/failure.ts'

/* npm run bench -- NAME: each benchmark is a command of its own. */

interface Benchmark {
  readonly describe: string
  load(): Promise<{ readonly run: RunCommand }>
}

const BENCHMARKS: Readonly<Record<string, Benchmark>> = {
  graph: { describe: "The graph tools against Python's onnx.", load: () => import('./bench.ts') },
  eval: {
    describe: 'Audio, mel and the decoding loop around the model.',
    load: () => import('./bench-eval.ts'),
  },
  decode: {
    describe: 'The fused layout against the split one, in Node and Python.',
    load: () => import('./bench-decode.ts'),
  },
  variants: {
    describe: "Time, memory and bytes of a release's variants.",
    load: () => import('./bench-variants.ts'),
  },
  peers: { describe: 'Variants against other engines.', load: () => import('./bench-peers.ts') },
  words: { describe: 'Times of words, and what they cost.', load: () => import('./bench-words.ts') },
  context: {
    describe: 'What a context costs, with its keys and values kept and without.',
    load: () => import('./bench-context.ts'),
  },
  package: { describe: 'Archives against gzip and pigz.', load: () => import('./bench-package.ts') },
  publish: { describe: 'Uploads against the Python client.', load: () => import('./bench-publish.ts') },
}

const LINE: CommandLine = {
  command: 'npm run bench --',
  usage: 'NAME [options]',
  about: 'Measure a part of this project against others, on this machine.',
  remark: 'npm run bench -- NAME --help lists the options of one.',
}

const choose = runnable<CommonOptions>({
  async parse([name = '', ...args]) {
    if (!name.startsWith('-')) throw refusal(name)
    return parseArguments(LINE, [name, ...args], (parser) =>
      Object.entries(BENCHMARKS)
        .reduce((all, [known, { describe }]) => all.command(known, describe), parser)
        .demandCommand(1, 'Found no name of a benchmark.'),
    )
  },
  stdout: 'results',
  run: async () => EXIT.done,
})

await asProcess(async ([name = '', ...args], host) => {
  const benchmark = Object.hasOwn(BENCHMARKS, name) ? BENCHMARKS[name] : undefined
  return benchmark ? (await benchmark.load()).run(args, host) : choose([name, ...args], host)
}, process.argv.slice(2))

function refusal(name: string) {
  return usage(
    name === '' ? 'Found no name of a benchmark.' : `There is no benchmark ${JSON.stringify(name)}.`,
    `One of: ${Object.keys(BENCHMARKS).join(', ')}. npm run bench -- --help describes them.`,
  )
}
