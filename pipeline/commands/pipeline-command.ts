import { EXIT } from '../failure.ts'
import { parseCommandLine } from './pipeline-options.ts'
import { runCommand } from './run-command.ts'

process.exitCode = await runCommand(process.argv.slice(2), {
  parse: parseCommandLine,
  afterStop: 'Run the same command again: finished stages are kept.',
  async run(options, emit, signal) {
    const { runPipeline } = await import('../run-pipeline.ts') // the command line answers at once
    await runPipeline(options, emit, signal)
    return EXIT.done
  },
})
