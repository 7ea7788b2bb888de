// SPDX-License-Identifier: Apache-2.0

import type { RunCommand } from './run-command.ts'

/** A command of the program, loaded when it is called. */
interface CommandRow {
  /** what it does, in the list of all commands */
  readonly about: string
  readonly load: () => Promise<{ readonly run: RunCommand }>
}

/** All commands, in the order in which most people need them. */
export const COMMANDS: Readonly<Record<string, CommandRow>> = {
  transcribe: {
    about: 'write down what is said in recordings',
    load: () => import('./transcribe-command.ts'),
  },
  align: {
    about: 'find when each word of a known text is said',
    load: () => import('./align-command.ts'),
  },
  page: {
    about: 'build a page that transcribes in browsers',
    load: () => import('./page-command.ts'),
  },
  evaluate: {
    about: 'measure error rates and speed of models',
    load: () => import('./evaluate-command.ts'),
  },
  compare: {
    about: 'compare providers, or paths on one clip',
    load: () => import('./compare-command.ts'),
  },
  pipeline: {
    about: 'turn a checkpoint into a validated release',
    load: () => import('./pipeline-command.ts'),
  },
  quantize: {
    about: 'try recipes of quantization',
    load: () => import('./quantize-command.ts'),
  },
  package: {
    about: 'make or verify the archives of a release',
    load: () => import('./package-command.ts'),
  },
  publish: {
    about: 'upload a release to the Hugging Face Hub',
    load: () => import('./publish-command.ts'),
  },
  graph: {
    about: 'look at and rewrite ONNX files of any size',
    load: () => import('./graph-command.ts'),
  },
}
