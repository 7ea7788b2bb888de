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
    about: 'build a static page that transcribes in the browser',
    load: () => import('./page-command.ts'),
  },
  evaluate: {
    about: 'measure the word error rate and the speed of finished models',
    load: () => import('./evaluate-command.ts'),
  },
  compare: {
    about: 'compare execution providers, or audio features',
    load: () => import('./compare-command.ts'),
  },
  pipeline: {
    about: 'turn a checkpoint into a validated, measured, packaged release',
    load: () => import('./pipeline-command.ts'),
  },
  quantize: {
    about: 'try recipes of quantization, and compare them',
    load: () => import('./quantize-command.ts'),
  },
  package: {
    about: 'make the archives of a release, or verify them',
    load: () => import('./package-command.ts'),
  },
  publish: {
    about: 'bring a packaged release to the Hugging Face Hub',
    load: () => import('./publish-command.ts'),
  },
  graph: {
    about: 'look at and rewrite ONNX files of any size',
    load: () => import('./graph-command.ts'),
  },
}
