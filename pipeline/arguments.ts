import type { Argv } from 'yargs'

/**
 * Parse a command line; help is printed to stdout.
 * @returns undefined when it was help
 */
export async function parseOrPrint<T>(parser: Argv<T>, args: readonly string[]) {
  let printed = ''
  const parsed = await parser.parse([...args], {}, (_error, _argv, output) => {
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
