// SPDX-License-Identifier: Apache-2.0

import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import * as v from 'valibot'
import { readOwn } from '../../eval/checked-json.ts'
import { shape } from '../../eval/runtime/schema.ts'
import { writeJson } from '../shared/output-files.ts'
import { fingerprintOf } from './stamp.ts'

/* Parts of a stage that are finished, kept for the next run. */

/** What a stage has finished, so that a run that was interrupted continues there, and one with another variant makes that alone. */
export interface KeptPasses {
  /**
   * The result of a pass: the one that is kept, or what `make` gives.
   * @param of what decides the result, beside what decides all: another value makes another pass
   */
  pass<T extends object>(of: object, make: () => Promise<T>): Promise<T>
  /** When the stage has ended: what it did not use is of no use to another run. */
  end(): Promise<void>
  /** Delete all results. */
  clear(): Promise<void>
}

const KEPT = shape({ result: v.looseObject({}) })

/**
 * Keep results as files named after the hash of what decides them, so that a stale one is never taken. A result that JSON does not hold
 * as it is, such as one with NaN, is made again.
 * @param folder of the files
 * @param about what decides all results
 */
export function keptPasses(folder: string, about: object): KeptPasses {
  const used = new Set<string>()
  return {
    async pass<T extends object>(of: object, make: () => Promise<T>) {
      const name = `${fingerprintOf({ about, of })}.json`
      const file = join(folder, name)
      used.add(name)
      const kept = await readOwn(KEPT, file)
      if (kept) return kept.result as T
      const result = await make()
      if (isDeepStrictEqual(JSON.parse(JSON.stringify(result)), result)) await writeJson(file, { result })
      return result
    },
    async end() {
      const names = await readdir(folder).catch(() => [])
      for (const name of names) if (!used.has(name)) await rm(join(folder, name), { force: true })
    },
    clear: () => rm(folder, { recursive: true, force: true }),
  }
}
