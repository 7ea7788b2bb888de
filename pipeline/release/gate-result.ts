// SPDX-License-Identifier: Apache-2.0

import * as v from 'valibot'
import { ALL_LAYOUTS, PREFILL_KINDS } from '../../eval/runtime/graphs.ts'
import { about, count, dictionary, list, type Parsed, shape, text, truth } from '../../eval/runtime/schema.ts'
import type { Fingerprints } from '../evaluate/fingerprint.ts'
import { type Finding, UNITS } from '../gates/gate.ts'

/* Results of gates, as files hold them and sentences name them. */

const figure = v.nullable(v.number('a number or null'))

/** The way through a variant. */
export const GATE_RESULT_WAY = {
  layout: about(
    "The decoder's graphs: fused or split; or the forced aligner's.",
    v.picklist(ALL_LAYOUTS, 'fused, split or aligner'),
  ),
  prefill: about(
    'What ran prompts: the graph with 8-bit products, or that of the steps.',
    v.picklist(PREFILL_KINDS, 'int8 or same'),
  ),
} as const

/** What one gate found of one way through a variant: written by stages, read by packaging, shown by card and manifest. */
export const GATE_RESULT = shape({
  gate: about('What was compared.', text),
  variant: about('The variant.', text),
  provider: about('The execution provider.', text),
  ...GATE_RESULT_WAY,
  unit: v.exactOptional(
    about(
      'What the figure is measured in: a share of 1, nats, milliseconds, how many, or a plain number.',
      v.picklist(UNITS, `one of ${UNITS.join(', ')}`),
    ),
  ),
  found: about('The figure; null with a problem, since JSON has no NaN.', figure),
  limit: about('The highest that passes; null when none is known, and the note says why.', figure),
  pass: about('Whether it is within the limit.', truth),
  problem: v.exactOptional(about('Why there is no figure.', text)),
  note: v.exactOptional(about('More about the figure.', text)),
  clips: v.exactOptional(about('Clips that were compared.', count)),
  worstClip: v.exactOptional(about('The clip with the worst figure.', text)),
  fingerprints: about('Of the files that were measured, by variant.', dictionary(text)),
})
/** What a gate found of one variant. */
export type GateResult = Parsed<typeof GATE_RESULT>
/** Results of several gates, as reports and manifests hold them. */
export const GATE_RESULTS = list(GATE_RESULT)

/**
 * The result of a gate from its finding: with its verdict, and null where there is no figure.
 * @param fingerprints of all variants that the figure depends on
 */
export function gateResult(
  { found, limit, ...finding }: Finding,
  variant: string,
  provider: string,
  fingerprints: Fingerprints,
): GateResult {
  const result = { ...finding, found: Number.isFinite(found) ? found : null, limit }
  return { ...{ variant, provider }, ...result, fingerprints, pass: passes(result) }
}

/** Whether a result keeps its limit, if it has one. One with a problem, or without a figure, does not. */
export function passes({ found, limit, problem }: Pick<GateResult, 'found' | 'limit' | 'problem'>): boolean {
  return problem === undefined && found !== null && found <= (limit ?? Number.POSITIVE_INFINITY)
}

/** `pass` when every result passes, also when there are none. */
export function verdictOf(results: readonly GateResult[]): 'pass' | 'fail' {
  return results.every(({ pass }) => pass) ? 'pass' : 'fail'
}

/** What a sentence says a result is of. */
type Subject = Pick<GateResult, 'variant' | 'provider' | 'layout' | 'prefill'>

/** A result as a sentence names it. */
export function nameOf(result: Subject & Pick<GateResult, 'gate'>): string {
  return `${result.gate} of ${subjectOf(result)}`
}

/** Of whom a result is: "fp32 (cpu, fused)". */
export function subjectOf({ variant, provider, ...way }: Subject): string {
  return `${variant} (${provider}, ${wayName(way)})`
}

/** How a variant was run: "fused", or "fused with int8 prompts". */
export function wayName({ layout, prefill }: Pick<GateResult, 'layout' | 'prefill'>): string {
  return prefill === 'int8' ? `${layout} with int8 prompts` : layout
}

/** What was found, for a reader. */
export function foundOf({ found, problem }: Pick<GateResult, 'found' | 'problem'>): string {
  return problem ?? (found === null ? 'not a number' : String(found))
}
