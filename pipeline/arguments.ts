import type { Argv } from 'yargs'
import { EXIT, Failure } from './failure.ts'

const COLUMNS = 110

/**
 * What every command line of the project has in common: unknown words and whatever else the parser finds are wrong usage.
 * @param hint where the options are listed
 */
export function strictly<T>(parser: Argv<T>, hint: string): Argv<T> {
  return parser
    .strict()
    .wrap(COLUMNS)
    .fail((message, error) => {
      throw error && error.name !== 'YError' ? error : new Failure(message, hint, EXIT.usage)
    })
}

/**
 * Parse a command line; help is printed to stdout.
 * @returns undefined when it was help
 */
export async function parseOrPrint<T>(parser: Argv<T>, args: readonly string[]) {
  let printed = ''
  const parsed = await parser
    .version(false)
    .exitProcess(false)
    .parse([...args], {}, (_error, _argv, output) => {
      printed = output
    })
  if (printed === '') return parsed
  process.stdout.write(`${printed}\n`)
  return undefined
}

/**
 * The name of an option that wants one value and is given several.
 * @param lists options that may have several
 */
export function repeatedOption(parsed: object, lists: readonly string[] = []): string | undefined {
  return Object.entries(parsed).find(
    ([name, value]) => name !== '_' && !lists.includes(name) && Array.isArray(value),
  )?.[0]
}
