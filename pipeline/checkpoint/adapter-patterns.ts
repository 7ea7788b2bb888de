// SPDX-License-Identifier: Apache-2.0

import { runInNewContext } from 'node:vm'
import { shown } from '../../eval/runtime/json-value.ts'
import { Failure } from '../shared/failure.ts'

/*
 * Patterns of adapter_config.json are Python's, and somebody else's: what JavaScript reads in another way is refused, and
 * one that takes for ever is stopped.
 */

/** For all names at once; a plain pattern takes microseconds. */
const PATIENCE_MS = 2000

/** Groups with names or flags, ends of text, and `{,n}`: JavaScript has no such things, or reads something else. */
const OTHERS = /\(\?(?![:=!]|<[=!])|\\[AZ]|\{,/

/**
 * Which names a Python pattern matches as a whole.
 * @param key of adapter_config.json that holds the pattern, for messages
 * @throws Failure for a pattern that cannot be read
 */
export function matching(pattern: string, names: readonly string[], key: string): ReadonlySet<string> {
  if (OTHERS.test(pattern)) throw unreadable(pattern, key, 'it has parts that only Python reads')
  try {
    const found: unknown = runInNewContext(
      'const whole = new RegExp("^(?:" + pattern + ")$", "s"); names.filter((name) => whole.test(name))',
      { pattern, names: [...names] },
      { timeout: PATIENCE_MS },
    )
    return new Set(Array.isArray(found) ? found.map(String) : [])
  } catch (error) {
    const isSlow = (error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT'
    throw unreadable(pattern, key, isSlow ? 'it takes for ever' : (error as Error).message)
  }
}

/**
 * Names that are in a list, or end with one of it behind a dot; or that match a pattern.
 * Source: peft 0.21 `check_target_module_exists`
 */
export function selected(
  wanted: string | readonly string[],
  names: readonly string[],
  key: string,
): ReadonlySet<string> {
  if (typeof wanted === 'string') return matching(wanted, names, key)
  return new Set(names.filter((name) => wanted.some((end) => name === end || name.endsWith(`.${end}`))))
}

/**
 * The value that a table of patterns has for each name: that of the first pattern that matches its end.
 * Source: peft 0.21 `get_pattern_key`
 */
export function patternValues(
  table: Readonly<Record<string, number>>,
  names: readonly string[],
  key: string,
): ReadonlyMap<string, number> {
  const values = new Map<string, number>()
  for (const [pattern, value] of Object.entries(table)) {
    for (const name of matching(`(.*\\.)?(${pattern})`, names, key))
      if (!values.has(name)) values.set(name, value)
  }
  return values
}

function unreadable(pattern: string, key: string, why: string): Failure {
  return new Failure(
    `adapter_config.json: ${key} has the pattern ${shown(pattern)}, which cannot be read: ${why}.`,
    'Name the modules in a list, or merge with peft and give the merged folder to --model.',
  )
}
