import { EMBEDDINGS, type Family } from '../eval/runtime/graphs.ts'
import { EXIT, Failure } from './shared/failure.ts'
import { STAGE_NAMES, type StageName } from './shared/stage-names.ts'
import { gateLimitsOf, VARIANT_NAMES } from './variants.ts'

/** What the pipeline does differently for a kind of model; its graphs are in eval/runtime/graphs.ts. */
interface FamilyRow {
  /** for messages: "a forced aligner" */
  readonly what: string
  /** stages that it goes through, in their order */
  readonly stages: readonly StageName[]
  /** files beside its graphs that the export leaves as the release has them */
  readonly exported: readonly string[]
  /** whether times of words are read from its attention */
  readonly hasAlignment: boolean
}

export const FAMILY_ROWS: Readonly<Record<Family, FamilyRow>> = {
  asr: { what: 'a speech recognition model', stages: STAGE_NAMES, exported: [], hasAlignment: true },
  aligner: {
    what: 'a forced aligner',
    stages: ['export', 'rewrite', 'quantize', 'validate'],
    exported: [EMBEDDINGS], // no graph looks it up
    hasAlignment: false,
  },
}

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
