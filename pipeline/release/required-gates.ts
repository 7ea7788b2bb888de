import { providerOf } from '../../eval/runtime/providers.ts'
import type { Fingerprints } from '../evaluate/fingerprint.ts'
import type { Figure } from '../gates/gate.ts'
import { gatesOf } from '../gates.ts'
import { type FileOptions, gateLimitsOf, waysOf } from '../variants.ts'
import { foundOf, type GateResult, nameOf, passes, subjectOf } from './gate-result.ts'

/** A figure that a release must have. */
interface Required extends Figure {
  readonly variant: string
  readonly provider: string
}

/** What release is asked about. */
export interface Claim extends FileOptions {
  readonly variants: readonly string[]
  /** that it is said to run on; speech is transcribed with the first */
  readonly providers: readonly string[]
}

/** Every figure of every gate of every row: what a release must have found, and passed. */
export function requiredFigures(claim: Claim): Required[] {
  return claim.variants.flatMap((variant) =>
    claim.providers.flatMap((provider, i) => {
      const row = providerOf(provider)
      const { tolerance } = row
      const ways = waysOf(variant, row, claim)
      return gatesOf(gateLimitsOf(variant, claim.family) ?? {}).flatMap(([gate, limits]) =>
        gate.kind === 'speech' && i > 0
          ? []
          : gate.figures(ways, limits, tolerance).map((own) => ({ ...own, variant, provider })),
      )
    }),
  )
}

/**
 * Why a release is not proved by these results: a sentence for each reason, none when every figure was found and passes.
 * @param fingerprints of the files that are there now, of every variant that a result was found with
 */
export function gateProblems(
  claim: Claim,
  results: readonly GateResult[],
  fingerprints: Fingerprints,
): string[] {
  const missing: Required[] = []
  const looser: Required[] = []
  const failed: string[] = []
  const others = new Set<string>()
  const required = requiredFigures(claim)
  for (const figure of required) {
    const own = results.filter((found) => isOf(figure, found))
    if (own.length === 0) missing.push(figure)
    else if (own.some((result) => isLooser(result, figure))) looser.push(figure)
    for (const result of own) {
      if (!(result.pass && passes(result)))
        failed.push(`${nameOf(figure)} is ${foundOf(result)}, wanted at most ${result.limit}`)
      for (const name of changedOf(result, figure, fingerprints)) others.add(name)
    }
  }
  const bare = claim.variants.filter((name) => !required.some(({ variant }) => variant === name))
  return [
    ...bare.map((variant) => `${variant} has no gates: nothing proves it.`),
    ...(missing.length > 0 ? [`Not measured: ${namesOf(missing)}.`] : []),
    ...(looser.length > 0 ? [`Measured with a looser limit than that of today: ${namesOf(looser)}.`] : []),
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

/** Of all variants that a figure depends on: FP32's count too where only another one is packaged. */
function changedOf(
  { fingerprints }: GateResult,
  { variant, against = variant }: Required,
  now: Fingerprints,
): string[] {
  const names = new Set([variant, against, ...Object.keys(fingerprints)])
  return [...names].filter((name) => fingerprints[name] === undefined || fingerprints[name] !== now[name])
}
