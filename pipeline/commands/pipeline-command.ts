// SPDX-License-Identifier: Apache-2.0

import { EXIT } from '../shared/failure.ts'
import { parsePipeline } from './pipeline-options.ts'
import { runnable } from './run-command.ts'

/** The command `npm run pipeline`. */
export const run = runnable({
  parse: parsePipeline,
  stdout: 'log',
  needsPeers: true,
  afterStop: 'Run the same command again: finished stages are kept.',
  async run(options, { emit }, signal) {
    const { runPipeline } = await import('../stages/run-pipeline.ts') // the command line answers at once
    await runPipeline(options, emit, signal)
    return EXIT.done
  },
})
