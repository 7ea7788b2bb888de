import { runCommand } from '../command.ts'
import { parsePackage } from './cli.ts'

process.exitCode = await runCommand(process.argv.slice(2), {
  parse: parsePackage,
  afterStop: 'Run the same command again; an older release, if there was one, is still there.',
  async run(options, emit, signal) {
    const { runPackage } = await import('./run.ts') // the command line answers at once
    return runPackage(options, emit, signal)
  },
})
