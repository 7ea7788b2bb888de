import { describeError, EXIT, type ExitCode } from '../failure.ts'
import { interruption } from '../interruption.ts'
import { parseTranscribe } from './cli.ts'

const output = {
  isLive: process.stdout.isTTY === true,
  print: (text: string) => process.stdout.write(text),
  complain: (text: string) => process.stderr.write(text),
}

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(EXIT.done) // who reads has seen enough, as with head
})
process.exitCode = await main(process.argv.slice(2))

async function main(args: readonly string[]): Promise<ExitCode> {
  try {
    const options = await parseTranscribe(args)
    if (!options) return EXIT.done
    const { transcribeFiles } = await import('./run.ts') // the command line answers at once
    const failures = await transcribeFiles(options, output, interruption())
    return failures > 0 ? EXIT.failed : EXIT.done
  } catch (error) {
    const { message, hint, exitCode } = describeError(error)
    output.complain(`error: ${message}\n${hint ? `hint: ${hint}\n` : ''}`)
    if (args.includes('--debug') && error instanceof Error) output.complain(`${error.stack}\n`)
    return exitCode
  }
}
