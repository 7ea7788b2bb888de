import { PROVIDERS } from '../../eval/runtime/providers.ts'
import type { Evidence } from './evidence.ts'
import type { Manifest } from './manifest-schema.ts'

type ProviderClaim = NonNullable<Manifest['providers']>[number]

/** What a release says of each provider that it was validated for. */
export function providerClaims({
  gates,
  provenance: { providers },
}: Pick<Evidence, 'gates'> & {
  readonly provenance: Pick<Evidence['provenance'], 'providers'>
}): ProviderClaim[] {
  return providers.map((name) => {
    const own = gates.filter(({ provider }) => provider === name)
    const verdict = own.length === 0 ? 'not measured' : own.every(({ pass }) => pass) ? 'right' : 'wrong'
    return { name, verdict, isTested: PROVIDERS[name]?.isTried ?? false }
  })
}

/** The same in a sentence for readers. */
export function claimSentence(claims: readonly ProviderClaim[]): string {
  const said = claims.map(({ name, verdict, isTested }) => {
    const warning = verdict === 'wrong' ? `**${name}: WRONG, do not use it**` : `${name}: ${verdict}`
    return isTested ? warning : `${warning} (the project itself has never tested it)`
  })
  return `Execution providers: ${said.join(', ')}.`
}
