// SPDX-License-Identifier: Apache-2.0

import type { Family } from '../../eval/runtime/graphs.ts'
import { FAMILY_ROWS } from '../families.ts'
import { EXIT, Failure } from '../shared/failure.ts'
import { gateLimitsOf, VARIANT_NAMES } from '../variants.ts'

/**
 * Check that a kind of model has all of these variants.
 * @throws Failure (wrong usage) naming the first that it does not have
 */
export function requireVariants(variants: readonly string[], family: Family): void {
  const isThere = (variant: string) => gateLimitsOf(variant, family) !== undefined
  const other = variants.find((variant) => !isThere(variant))
  if (other === undefined) return
  throw new Failure(
    `The model is ${FAMILY_ROWS[family].what}, of which there is no variant ${other}.`,
    `There are ${VARIANT_NAMES.filter(isThere).join(', ')}.`,
    EXIT.usage,
  )
}
