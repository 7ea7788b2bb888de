import { parsePackage } from './package-options.ts'
import { runCommand } from './run-command.ts'

process.exitCode = await runCommand(process.argv.slice(2), {
  parse: parsePackage,
  afterStop: 'Run the same command again; an older release, if there was one, is still there.',
  async run(options, emit, signal) {
    const { runPackage } = await import('../package/run-package.ts') // the command line answers at once
    return runPackage(options, emit, signal)
  },
})
