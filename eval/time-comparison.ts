// SPDX-License-Identifier: Apache-2.0

import type { NormalizerName } from './normalize/normalizers.ts'
import type { SystemDescription } from './run-description.ts'
import type { Score } from './score.ts'
import { type EdgeSummary, edgeErrors, summarizeEdges } from './time-errors.ts'

/** How far the times of a system are from those of a forced aligner, which need not be right. */
export interface TimeComparison extends EdgeSummary {
  readonly dataset: string
  readonly normalizer: NormalizerName
  readonly aligner: string
  /** a recognizer, or another aligner */
  readonly system: string
}

interface Compared {
  readonly dataset: string
  readonly normalizer: NormalizerName
  /** in the order of the report */
  readonly systems: readonly SystemDescription[]
  readonly scores: ReadonlyMap<string, readonly Score[]>
}

/**
 * Each aligner with each recognizer that has times, and with the aligners behind it, on the utterances and words that both have. No
 * known times are needed.
 */
export function compareTimes({ dataset, normalizer, systems, scores }: Compared): TimeComparison[] {
  return systems.flatMap((aligner, place) => {
    if (aligner.kind !== 'aligner') return []
    const others = systems.filter(({ kind }, i) => kind === 'model' || (kind === 'aligner' && i > place))
    return others.flatMap(({ name: system }) => {
      const pairs = pairsOf(scores.get(aligner.name) ?? [], scores.get(system) ?? [])
      const errors = pairs.map(([wanted, found]) => edgeErrors(wanted, found, normalizer))
      if (errors.length === 0) return []
      return [{ ...{ dataset, normalizer, aligner: aligner.name, system }, ...summarizeEdges(errors) }]
    })
  })
}

/** Words of utterances of which both have them. */
function pairsOf(first: readonly Score[], second: readonly Score[]) {
  const others = new Map(second.map(({ record }) => [record.key, record.words]))
  return first.flatMap(({ record: { key, words } }) => {
    const other = others.get(key)
    return words && other ? [[words, other] as const] : []
  })
}
