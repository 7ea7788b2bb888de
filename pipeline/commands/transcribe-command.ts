import { EXIT, type ExitCode } from '../failure.ts'
import { interruption } from '../interruption.ts'
import { reportError, reportUncaught, say } from '../terminal.ts'
import { parseTranscribe } from './transcribe-options.ts'

/** Who reads may have seen enough, as head has: work stops as after Ctrl-C, since a runtime at work does not like a sudden end. */
const reader = new AbortController()

const output = {
  isLive: process.stdout.isTTY === true,
  print: (text: string) => process.stdout.write(text),
  complain: (lines: readonly string[]) => reader.signal.aborted || say(lines, process.stderr),
}

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  reader.abort(error)
})
reportUncaught(process.argv)
process.exitCode = await main(process.argv.slice(2))

async function main(args: readonly string[]): Promise<ExitCode> {
  try {
    const options = await parseTranscribe(args)
    if (!options) return EXIT.done
    const { transcribeFiles } = await import('../transcribe/transcribe-files.ts') // the command line answers at once
    const signal = AbortSignal.any([interruption(), reader.signal])
    const failures = await transcribeFiles(options, output, signal)
    return failures > 0 && !reader.signal.aborted ? EXIT.failed : EXIT.done
  } catch (error) {
    if (reader.signal.aborted) return EXIT.done
    return reportError(error, args)
  }
}
