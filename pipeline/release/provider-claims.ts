// SPDX-License-Identifier: Apache-2.0

import { PROVIDERS } from '../../eval/runtime/providers.ts'
import type { Manifest } from './manifest-schema.ts'
import type { Claim, Proof } from './required-gates.ts'

/* Which providers a release was validated for. */

type ProviderClaim = NonNullable<Manifest['providers']>[number]

/** What a release says of each provider that it was validated for: nothing is right that one missing figure would prove. */
export function providerClaims(
  { providers }: Pick<Claim, 'providers'>,
  proofs: readonly Proof[],
): ProviderClaim[] {
  return providers.map((name) => {
    const own = proofs.filter(({ figure }) => figure.provider === name)
    return { name, verdict: verdictOf(own), isTested: PROVIDERS[name]?.isTried ?? false }
  })
}

function verdictOf(proofs: readonly Proof[]): ProviderClaim['verdict'] {
  if (proofs.some(({ failed }) => failed.length > 0)) return 'wrong'
  const isOpen = ({ isMissing, isLooser, others }: Proof) => isMissing || isLooser || others.length > 0
  return proofs.length === 0 || proofs.some(isOpen) ? 'not measured' : 'right'
}

/** The same in a sentence for readers. */
export function claimSentence(claims: readonly ProviderClaim[]): string {
  const said = claims.map(({ name, verdict, isTested }) => {
    const warning = verdict === 'wrong' ? `**${name}: WRONG, do not use it**` : `${name}: ${verdict}`
    return isTested ? warning : `${warning} (the project itself has never tested it)`
  })
  return `Execution providers: ${said.join(', ')}.`
}
