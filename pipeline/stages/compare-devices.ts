// SPDX-License-Identifier: Apache-2.0

import { defined } from '../../eval/runtime/defined.ts'
import { PROVIDERS, providerLabel, providerOf } from '../../eval/runtime/providers.ts'
import type { Fingerprints } from '../evaluate/fingerprint.ts'
import { GATES } from '../gates.ts'
import { bundledClips } from '../providers/bundled-clips.ts'
import { type ComparedProvider, compareProviders } from '../providers/compare-providers.ts'
import { deviceText } from '../providers/provider-tables.ts'
import { type GateResult, gateResult } from '../release/gate-result.ts'
import type { ProviderDevice } from '../release/parity-section.ts'
import { Failure } from '../shared/failure.ts'
import { gateLimitsOf, waysOf } from '../variants.ts'
import type { KeptPasses } from './kept-passes.ts'
import type { Run } from './stage.ts'

/* Providers beside the processor, for the validate stage. */

/** What of a run is read. */
interface Asked extends Pick<Run, 'signal' | 'emit'> {
  readonly paths: Pick<Run['paths'], 'model'>
  readonly options: Pick<Run['options'], 'variants' | 'threads' | 'providers' | 'prefillInt8'>
}

/** What providers beside the processor made of the bundled speech. */
export interface ComparedDevices {
  readonly gates: readonly GateResult[]
  /** of each provider that was compared, what it computed with */
  readonly devices: readonly ProviderDevice[]
  /** a variant did not come to its end on a provider */
  hasFailed(provider: string, variant: string): boolean
}

/**
 * Let the providers that a release is to be validated for transcribe the bundled clips in separate processes, beside the processor.
 * @throws Failure for one that is not available
 */
export async function compareDevices(
  run: Asked,
  fingerprints: Fingerprints,
  kept: Pick<KeptPasses, 'pass'>,
): Promise<ComparedDevices> {
  const { variants, threads, providers } = run.options
  const others = providers.filter((name) => PROVIDERS[name]?.tolerance.transcripts !== undefined)
  const gated = variants.filter((name) => gateLimitsOf(name)?.transcripts !== undefined)
  if (others.length === 0) return { gates: [], devices: [], hasFailed: () => false }
  const question = {
    ...{ folder: run.paths.model, providers: others, variants: gated, threads },
    clips: await bundledClips(),
  }
  const own = gated.map((name) => [name, fingerprints[name]])
  const { found } = await kept.pass({ providers: others, own }, async () => {
    const all = await compareProviders(question, {
      signal: run.signal,
      note: (text) => run.emit({ event: 'note', text }),
      progress: (what, done, total) => run.emit({ event: 'progress', what, done, total, unit: 'clips' }),
    })
    for (const one of all) requireAvailable(run, one)
    return { found: all }
  })
  return {
    gates: found.flatMap((one) => gatesOf(one, run, fingerprints)),
    devices: found.map(({ provider, probe }) => ({ provider, ...defined({ device: deviceText(probe) }) })),
    hasFailed: (provider, variant) =>
      found.some(
        (one) =>
          one.provider === provider && one.variants.some((own) => own.variant === variant && own.problem),
      ),
  }
}

function requireAvailable({ emit }: Pick<Run, 'emit'>, { provider, isTried, probe }: ComparedProvider): void {
  if (!probe.isAvailable)
    throw new Failure(
      `${providerLabel(provider)} is not available, and the release cannot be validated for it: ${probe.problem}`,
      probe.hint,
    )
  if (!isTried) emit({ event: 'note', text: `${provider}: this project has never tested it.` })
}

function gatesOf(
  { provider, variants }: ComparedProvider,
  run: Asked,
  fingerprints: Fingerprints,
): readonly GateResult[] {
  const row = providerOf(provider)
  return variants.flatMap(({ variant, verdict: { changed, of }, problem }) => {
    const [way] = waysOf(variant, row, run.options)
    if (way === undefined) return []
    const own = { [variant]: fingerprints[variant] ?? '' }
    const told = { changed, of, ...(problem !== undefined && { problem }) }
    return GATES.transcripts
      .judge(way, told, row.tolerance)
      .map((finding) => gateResult(finding, variant, provider, own))
  })
}
