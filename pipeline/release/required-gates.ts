// SPDX-License-Identifier: Apache-2.0

import { providerOf } from '../../eval/runtime/providers.ts'
import type { Fingerprints } from '../evaluate/fingerprint.ts'
import type { Figure } from '../gates/gate.ts'
import { gatesOf } from '../gates.ts'
import { type FileOptions, gateLimitsOf, waysOf } from '../variants.ts'
import { foundOf, type GateResult, nameOf, passes, subjectOf } from './gate-result.ts'

/* Which figures a release must have, and whether results prove them. */

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

/** What results say of one figure that a release must have. */
export interface Proof {
  readonly figure: Required
  readonly isMissing: boolean
  readonly isLooser: boolean
  /** what was found instead of what was wanted, of each result that does not pass */
  readonly failed: readonly string[]
  /** variants whose files are others now than those that were measured */
  readonly others: readonly string[]
}

/**
 * What these results prove, figure by figure.
 * @param fingerprints of the files that are there now, of every variant that a result was found with
 */
export function proofsOf(claim: Claim, results: readonly GateResult[], fingerprints: Fingerprints): Proof[] {
  return requiredFigures(claim).map((figure) => {
    const own = results.filter((found) => isOf(figure, found))
    return {
      figure,
      isMissing: own.length === 0,
      isLooser: own.some((result) => isLooser(result, figure)),
      failed: own
        .filter((result) => !(result.pass && passes(result)))
        .map((result) => `${nameOf(figure)} is ${foundOf(result)}, wanted at most ${result.limit}`),
      others: own.flatMap((result) => changedOf(result, figure, fingerprints)),
    }
  })
}

/** Why a release is not proved: a sentence for each reason, none when every figure was found and passes. */
export function gateProblems({ variants }: Pick<Claim, 'variants'>, proofs: readonly Proof[]): string[] {
  const bare = variants.filter((name) => !proofs.some(({ figure }) => figure.variant === name))
  const named = (which: keyof Pick<Proof, 'isMissing' | 'isLooser'>) =>
    namesOf(proofs.filter((proof) => proof[which]).map(({ figure }) => figure))
  const isBare = proofs.length > 0 && proofs.every(({ isMissing }) => isMissing)
  const missing = isBare ? `any of the ${proofs.length} gates` : named('isMissing')
  const looser = named('isLooser')
  const failed = proofs.flatMap((proof) => proof.failed)
  const others = new Set(proofs.flatMap((proof) => proof.others))
  return [
    ...bare.map((variant) => `${variant} has no gates: nothing proves it.`),
    ...(missing === '' ? [] : [`Not measured: ${missing}.`]),
    ...(looser === '' ? [] : [`Measured with a looser limit than that of today: ${looser}.`]),
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
