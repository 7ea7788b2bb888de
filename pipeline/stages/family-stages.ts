import type { Family } from '../../eval/runtime/graphs.ts'
import { FAMILY_ROWS } from '../families.ts'
import { EXIT, Failure } from '../shared/failure.ts'
import type { StageName } from '../shared/stage-names.ts'
import { gateLimitsOf, VARIANT_NAMES } from '../variants.ts'

interface Asked {
  readonly stages: readonly StageName[]
  readonly variants: readonly string[]
}

/**
 * What of a run's options there is for a kind of model.
 * @returns the stages that there are, and those that are left out
 * @throws Failure (wrong usage) when no stage is left, or a variant is named that it does not have
 */
export function stagesFor(
  { stages, variants }: Asked,
  family: Family,
): { stages: readonly StageName[]; leftOut: readonly StageName[] } {
  const row = FAMILY_ROWS[family]
  const has = (name: StageName) => row.stages.includes(name)
  if (!stages.some(has))
    throw new Failure(
      `The model is ${row.what}, which has no stage ${stages.join(' or ')}.`,
      `It has ${row.stages.join(', ')}.`,
      EXIT.usage,
    )
  const isThere = (variant: string) => gateLimitsOf(variant, family) !== undefined
  const other = variants.find((variant) => !isThere(variant))
  if (other !== undefined)
    throw new Failure(
      `The model is ${row.what}, of which there is no variant ${other}.`,
      `There are ${VARIANT_NAMES.filter(isThere).join(', ')}.`,
      EXIT.usage,
    )
  return { stages: stages.filter(has), leftOut: stages.filter((name) => !has(name)) }
}
