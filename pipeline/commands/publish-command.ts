// SPDX-License-Identifier: Apache-2.0

import { parsePublish } from './publish-options.ts'
import { runnable } from './run-command.ts'

/** The command `npm run publish`. */
export const run = runnable({
  parse: parsePublish,
  stdout: 'log',
  needsPeers: true,
  afterStop: 'Run the same command again: what is stored is not sent again.',
  async run(options, { emit }, signal) {
    const { runPublish } = await import('../publish/run-publish.ts') // the command line answers at once
    return runPublish(options, emit, signal)
  },
})
