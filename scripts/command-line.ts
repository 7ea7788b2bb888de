import { stat } from 'node:fs/promises'
import type { Argv } from 'yargs'
import { parseOrPrint, repeatedOption, strictly } from '../pipeline/arguments.ts'
import { EXIT, Failure } from '../pipeline/failure.ts'
import { reportError, reportUncaught } from '../pipeline/terminal.ts'

/** Options that name a folder which must be there. */
const FOLDERS = ['model-dir', 'exported', 'work']

/**
 * Parse a script's command line. Help ends the process with 0 and wrong usage with 2; what fails later is one sentence too.
 * @param command as people type it
 */
export async function parseScript<T>(command: string, parser: Argv<T>, args: readonly string[]) {
  reportUncaught(args)
  const listed = `${command} --help lists the options.`
  try {
    const parsed = await parseOrPrint(strictly(parser.scriptName(command), listed), args)
    if (parsed === undefined) process.exit(EXIT.done)
    const values = parsed as Readonly<Record<string, unknown>>
    const wrong = wrongValue(values) ?? (await missingFolder(values))
    if (wrong !== undefined) throw new Failure(wrong, listed, EXIT.usage)
    return parsed
  } catch (error) {
    process.exit(reportError(error, args))
  }
}

/** Numbers of scripts are counts and seeds. */
function wrongValue(parsed: Readonly<Record<string, unknown>>): string | undefined {
  const repeated = repeatedOption(parsed)
  if (repeated !== undefined) return `--${repeated} is given more than once.`
  for (const [name, value] of Object.entries(parsed)) {
    if (typeof value === 'number' && !(Number.isInteger(value) && value >= (name === 'seed' ? 0 : 1)))
      return `--${name} is ${value}, wanted a whole number above 0.`
    if (value === '' && name !== 'variant') return `--${name} is empty.`
  }
  return undefined
}

async function missingFolder(parsed: Readonly<Record<string, unknown>>): Promise<string | undefined> {
  for (const name of FOLDERS) {
    const path = parsed[name]
    if (typeof path !== 'string') continue
    const info = await stat(path).catch(() => undefined)
    if (!info?.isDirectory()) return `--${name} ${path} is not a folder.`
  }
  return undefined
}
