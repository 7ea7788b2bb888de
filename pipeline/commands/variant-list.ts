// SPDX-License-Identifier: Apache-2.0

import { variantName } from '../../eval/runtime/release.ts'
import { VARIANT_NAMES } from '../variants.ts'
import { usage } from './arguments.ts'

/**
 * Variants as a command line names them, "fp32,int4" in any case and order, in the order of the table.
 * @throws Failure with exit code 2 for names that no variant has
 */
export function variantList(listed: string): string[] {
  const wanted = listed.split(',').map((given) => {
    const name = variantName(given.trim())
    if (VARIANT_NAMES.includes(name) && given.trim() !== '') return name
    throw usage(`--variants names ${JSON.stringify(given)}, wanted some of ${VARIANT_NAMES.join(', ')}.`)
  })
  return VARIANT_NAMES.filter((name) => wanted.includes(name))
}
