// SPDX-License-Identifier: Apache-2.0

import { clearProgress } from '../graph/progress-line.ts'
import { parseGraph } from './graph-options.ts'
import { runnable } from './run-command.ts'

/** The command `npm run graph`. */
export const run = runnable({
  parse: parseGraph,
  stdout: 'results',
  isJsonChanged: true,
  isStoppable: ({ isRewrite }) => isRewrite,
  afterStop: 'Nothing is half done; run the same command again for the rest.',
  async run({ work }, output, signal) {
    try {
      return await work(output, signal)
    } finally {
      clearProgress()
    }
  },
})
