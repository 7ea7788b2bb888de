import { parsePublish } from './publish-options.ts'
import { runCommand } from './run-command.ts'

process.exitCode = await runCommand(process.argv.slice(2), {
  parse: parsePublish,
  afterStop: 'Run the same command again: what is stored is not sent again.',
  async run(options, emit, signal) {
    const { runPublish } = await import('../publish/run-publish.ts') // the command line answers at once
    return runPublish(options, emit, signal)
  },
})
