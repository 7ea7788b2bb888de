// SPDX-License-Identifier: Apache-2.0

import { parsePackage } from './package-options.ts'
import { runnable } from './run-command.ts'

/** The command `npm run package`. */
export const run = runnable({
  parse: parsePackage,
  stdout: 'log',
  needsPeers: true,
  afterStop: 'Run the same command again; an older release, if there was one, is still there.',
  async run(options, { emit }, signal) {
    const { runPackage } = await import('../release/run-package.ts') // the command line answers at once
    return runPackage(options, emit, signal)
  },
})
