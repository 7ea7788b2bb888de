import * as v from 'valibot'
import { providerOf } from '../eval/providers.ts'
import { about, dictionary, list, type Parsed, shape, text, truth, whole } from '../eval/schema.ts'
import type { Fingerprints } from './evaluate/fingerprint.ts'
import type { Figure, Finding } from './gates/gate.ts'
import { gatesOf } from './gates.ts'
import { rowOf, waysOf } from './variants.ts'

const figure = v.nullable(v.number('a number or null'))

/** The way through a variant. */
export const GATE_RESULT_WAY = {
  layout: about("The decoder's graphs: fused or split.", v.picklist(['fused', 'split'], 'fused or split')),
  prefill: about(
    'What ran prompts: the graph with 8-bit products, or that of the steps.',
    v.picklist(['int8', 'same'], 'int8 or same'),
  ),
} as const

/** What one gate found of one way through a variant: written by stages, read by packaging, shown by card and manifest. */
export const GATE_RESULT = shape({
  gate: about('What was looked at.', text),
  variant: about('The variant.', text),
  provider: about('The execution provider.', text),
  ...GATE_RESULT_WAY,
  found: about('The figure; null with a problem, since JSON has no NaN.', figure),
  limit: about('The highest that passes; null when none is known, and the note says why.', figure),
  pass: about('Whether it is within the limit.', truth),
  problem: v.exactOptional(about('Why there is no figure.', text)),
  note: v.exactOptional(about('More about the figure.', text)),
  clips: v.exactOptional(about('Clips that were compared.', whole(0, Number.MAX_SAFE_INTEGER))),
  worstClip: v.exactOptional(about('The clip with the worst figure.', text)),
  fingerprints: about('Of the files that were measured, by variant.', dictionary(text)),
})
export type GateResult = Parsed<typeof GATE_RESULT>
export const GATE_RESULTS = list(GATE_RESULT)

/** @param fingerprints of all variants that the figure depends on */
export function gateResult(
  { found, limit, ...finding }: Finding,
  variant: string,
  provider: string,
  fingerprints: Fingerprints,
): GateResult {
  const result = { ...finding, found: Number.isFinite(found) ? found : null, limit }
  return { ...{ variant, provider }, ...result, fingerprints, pass: passes(result) }
}

function passes({ found, limit, problem }: Pick<GateResult, 'found' | 'limit' | 'problem'>): boolean {
  return problem === undefined && found !== null && found <= (limit ?? Number.POSITIVE_INFINITY)
}

/** A figure that a release must have. */
interface Required extends Figure {
  readonly variant: string
  readonly provider: string
}

/** What release is asked about. */
export interface Claim {
  readonly variants: readonly string[]
  /** that it is said to run on; speech is transcribed with the first */
  readonly providers: readonly string[]
  readonly prefillInt8: boolean
}

/** Every figure of every gate of every row: what a release must have found, and passed. */
export function requiredFigures(claim: Claim): Required[] {
  return claim.variants.flatMap((variant) =>
    claim.providers.flatMap((provider, i) => {
      const { prompts, tolerance } = providerOf(provider)
      const ways = waysOf(variant, { prompts }, claim)
      return gatesOf(rowOf(variant).gates).flatMap(([gate, limits]) =>
        gate.kind === 'text' && i > 0
          ? []
          : gate.figures(ways, limits, tolerance).map((own) => ({ ...own, variant, provider })),
      )
    }),
  )
}

/**
 * Why a release is not proved by these results: a sentence for each reason, none when every figure was found and passes.
 * @param fingerprints of the files that are there now
 */
export function gateProblems(
  claim: Claim,
  results: readonly GateResult[],
  fingerprints: Fingerprints,
): string[] {
  const missing: Required[] = []
  const failed: string[] = []
  const others = new Set<string>()
  for (const required of requiredFigures(claim)) {
    const result = results.find((found) => isOf(required, found))
    if (result === undefined || isLooser(result, required)) missing.push(required)
    else if (!(result.pass && passes(result)))
      failed.push(`${nameOf(required)} is ${foundOf(result)}, wanted at most ${result.limit}`)
    else for (const name of changedOf(result, required.variant, fingerprints)) others.add(name)
  }
  const bare = claim.variants.filter((variant) => gatesOf(rowOf(variant).gates).length === 0)
  return [
    ...bare.map((variant) => `${variant} has no gates: nothing proves it.`),
    ...(missing.length > 0 ? [`Not measured: ${namesOf(missing)}.`] : []),
    ...(failed.length > 0 ? [`Failed: ${failed.join('; ')}.`] : []),
    ...(others.size > 0 ? [`Other files of ${[...others].join(' and ')} were measured than these.`] : []),
  ]
}

export function verdictOf(results: readonly GateResult[]): 'pass' | 'fail' {
  return results.every(({ pass }) => pass) ? 'pass' : 'fail'
}

/** A result as a sentence names it. */
export function nameOf(result: Required | GateResult): string {
  return `${result.gate} of ${subjectOf(result)}`
}

function subjectOf({ variant, provider, ...way }: Required | GateResult): string {
  return `${variant} (${provider}, ${wayName(way)})`
}

/** All of one way together: "mel, features of fp32 (cpu, fused); ..." */
function namesOf(figures: readonly Required[]): string {
  const gates = new Map<string, string[]>()
  for (const figure of figures) {
    const subject = subjectOf(figure)
    gates.set(subject, [...(gates.get(subject) ?? []), figure.gate])
  }
  return [...gates].map(([subject, names]) => `${names.join(', ')} of ${subject}`).join('; ')
}

export function wayName({ layout, prefill }: Pick<GateResult, 'layout' | 'prefill'>): string {
  return prefill === 'int8' ? `${layout} with int8 prompts` : layout
}

/** What was found, for a reader. */
export function foundOf({ found, problem }: Pick<GateResult, 'found' | 'problem'>): string {
  return problem ?? (found === null ? 'not a number' : String(found))
}

function isOf(a: Required, b: GateResult): boolean {
  const keys = ['gate', 'variant', 'provider', 'layout', 'prefill'] as const
  return keys.every((key) => a[key] === b[key])
}

/** A limit that was looser once proves nothing about the one that holds now. */
function isLooser({ limit }: GateResult, required: Required): boolean {
  return required.limit !== undefined && (limit === null || limit > required.limit)
}

function changedOf(result: GateResult, variant: string, now: Fingerprints): string[] {
  const measured = Object.keys(result.fingerprints)
  return [...new Set([variant, ...measured.filter((name) => now[name] !== undefined)])].filter(
    (name) => result.fingerprints[name] !== now[name],
  )
}
