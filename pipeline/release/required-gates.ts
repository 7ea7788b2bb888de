import { providerOf } from '../../eval/runtime/providers.ts'
import type { Fingerprints } from '../evaluate/fingerprint.ts'
import type { Figure } from '../gates/gate.ts'
import { gatesOf } from '../gates.ts'
import { rowOf, waysOf } from '../variants.ts'
import { foundOf, type GateResult, nameOf, passes, subjectOf } from './gate-result.ts'

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

/** All of one way together: "mel, features of fp32 (cpu, fused); ..." */
function namesOf(figures: readonly Required[]): string {
  const gates = new Map<string, string[]>()
  for (const figure of figures) {
    const subject = subjectOf(figure)
    gates.set(subject, [...(gates.get(subject) ?? []), figure.gate])
  }
  return [...gates].map(([subject, names]) => `${names.join(', ')} of ${subject}`).join('; ')
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
