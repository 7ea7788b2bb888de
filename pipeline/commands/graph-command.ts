import { describeError, type ExitCode } from '../failure.ts'
import { allowClosedPipes, clearProgress } from '../graph/progress-line.ts'
import { reportUncaught, say, sayJson, sayStack } from '../terminal.ts'
import { runCommandLine } from './graph-options.ts'

allowClosedPipes()
reportUncaught(process.argv)
process.exitCode = await main(process.argv.slice(2))

async function main(args: readonly string[]): Promise<ExitCode> {
  try {
    return await runCommandLine(args)
  } catch (error) {
    const { message, hint, exitCode } = described(error)
    clearProgress()
    if (args.includes('--json')) sayJson({ event: 'failure', message, hint, exitCode }, process.stderr)
    else say([`error: ${message}`, ...(hint ? [`hint: ${hint}`] : [])], process.stderr) // a name may hold a break
    if (args.includes('--debug')) sayStack(error)
    return exitCode
  }
}

function described(error: unknown): ReturnType<typeof describeError> {
  const found = describeError(error)
  const { code = '' } = (error ?? {}) as NodeJS.ErrnoException
  const isFull = code === 'ENOSPC' || code === 'EDQUOT'
  return isFull ? { ...found, hint: 'Free space, then run the same command again.' } : found
}
