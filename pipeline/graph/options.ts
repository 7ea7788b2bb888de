import { EXIT, Failure } from '../failure.ts'

/** An option that takes a text; see {@link once}. */
export function text(describe: string) {
  return { type: 'string', requiresArg: true, describe } as const
}

/** An option that takes a number of bytes; see {@link byteCount}. */
export function bytes(describe: string, value: number) {
  return { ...text(describe), default: String(value) } as const
}

/**
 * The value of an option.
 * @throws Failure when it was given twice, which yargs makes a list of, or is empty
 */
export function once(name: string, given: unknown): string {
  if (typeof given === 'string' && given !== '') return given
  const found = Array.isArray(given) ? `given ${given.length} times, wanted once` : 'empty'
  throw new Failure(`--${name} is ${found}.`, 'Run npm run graph -- --help for all options.', EXIT.usage)
}

/**
 * The value of an option that is a number of bytes.
 * @throws Failure when it is none
 */
export function byteCount(name: string, given: unknown): number {
  const found = once(name, given)
  if (/^\d+$/.test(found) && Number.isSafeInteger(Number(found))) return Number(found)
  throw new Failure(
    `--${name} is ${JSON.stringify(found)}, wanted a number of bytes.`,
    `For example --${name} 1024.`,
    EXIT.usage,
  )
}

/** The value of an option that need not be given. */
export function optional(name: string, given: unknown): string | undefined {
  return given === undefined ? undefined : once(name, given)
}

/** The name that a misspelt one is nearest to, if it is near to any. */
export function nearest(word: string, names: readonly string[]): string | undefined {
  const close = names.map((name) => ({ name, steps: distance(word, name) })).sort((a, b) => a.steps - b.steps)
  const [best] = close
  return best && best.steps <= Math.max(2, word.length / 3) ? best.name : undefined
}

/** Letters to put in, take out or change (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1]
    for (const [j, other] of [...b].entries()) {
      const change = (row[j] ?? 0) + (letter === other ? 0 : 1)
      next.push(Math.min(change, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
