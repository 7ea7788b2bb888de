// SPDX-License-Identifier: Apache-2.0

import { defined } from '../../eval/runtime/defined.ts'
import { PROVIDERS } from '../../eval/runtime/providers.ts'
import type { Manifest } from './manifest-schema.ts'
import type { ProviderDevice } from './parity-section.ts'
import type { Claim, Proof } from './required-gates.ts'

/* Which providers a release was validated for. */

type ProviderClaim = NonNullable<Manifest['providers']>[number]

/**
 * What a release says of each provider that it was validated for: nothing is right that one missing figure would prove.
 * @param devices that the providers computed with
 */
export function providerClaims(
  { providers }: Pick<Claim, 'providers'>,
  proofs: readonly Proof[],
  devices: readonly ProviderDevice[] = [],
): ProviderClaim[] {
  return providers.map((name) => {
    const own = proofs.filter(({ figure }) => figure.provider === name)
    const verdict = verdictOf(own)
    const known = devices.find(({ provider }) => provider === name)?.device
    const device = verdict === 'not measured' ? undefined : known
    return { name, verdict, ...defined({ device }), isTested: PROVIDERS[name]?.isTried ?? false }
  })
}

function verdictOf(proofs: readonly Proof[]): ProviderClaim['verdict'] {
  if (proofs.some(({ failed }) => failed.length > 0)) return 'wrong'
  const isOpen = ({ isMissing, isLooser, others }: Proof) => isMissing || isLooser || others.length > 0
  return proofs.length === 0 || proofs.some(isOpen) ? 'not measured' : 'right'
}

/** The same in a sentence for readers. */
export function claimSentence(claims: readonly ProviderClaim[]): string {
  const said = claims.map(({ name, verdict, device, isTested }) => {
    const warning = verdict === 'wrong' ? `**${name}: WRONG, do not use it**` : `${name}: ${verdict}`
    const where = device === undefined ? '' : ` on ${device}`
    return `${warning}${where}${isTested ? '' : ' (the project itself has never tested it)'}`
  })
  return `Execution providers: ${said.join(', ')}.`
}
