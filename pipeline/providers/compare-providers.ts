// SPDX-License-Identifier: Apache-2.0

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { providerOf, USUAL_PROVIDER } from '../../eval/runtime/providers.ts'
import { type HeardClips, hearClips } from './hear-clips.ts'
import type { HeardClip, NamedClip } from './heard-clip.ts'
import { type Probe, probeProvider } from './probe-provider.ts'
import { judgeProvider, type Verdict } from './provider-verdict.ts'

/** What is compared: providers, with these variants of a release on these clips. */
export interface ProvidersQuestion {
  readonly folder: string
  readonly providers: readonly string[]
  readonly variants: readonly string[]
  readonly clips: readonly NamedClip[]
  readonly threads: number
}

/** What one provider is, and what it made of the clips. */
export interface ComparedProvider {
  readonly provider: string
  readonly isTried: boolean
  readonly probe: Probe
  /** none where it is not available */
  readonly variants: readonly ComparedVariant[]
  /** bytes at the most, of the process that transcribed the clips; undefined: not known */
  readonly host?: number
  readonly device?: number
}

/** What one provider made of one variant. */
export interface ComparedVariant {
  readonly variant: string
  readonly clips: readonly HeardClip[]
  readonly verdict: Verdict
  /** why not all clips were transcribed */
  readonly problem?: string
}

/** How a comparison is followed and stopped. */
export interface ComparingOptions {
  readonly signal: AbortSignal
  note(text: string): void
  progress(what: string, done: number, total: number): void
}

/**
 * Probe each provider, and let those that are available transcribe the clips, each in processes of its own. The processor transcribes them
 * first, asked for or not: the others are compared with it.
 * @returns those that were asked for, in their order
 * @throws SpeechError for a provider that this project does not support
 */
export async function compareProviders(
  question: ProvidersQuestion,
  options: ComparingOptions,
): Promise<ComparedProvider[]> {
  const scratch = await mkdtemp(join(tmpdir(), 'qwen3-asr-providers-'))
  try {
    const others = question.providers.filter((name) => name !== USUAL_PROVIDER)
    for (const name of others) providerOf(name)
    const probes = new Map<string, Probe>()
    for (const provider of question.providers) {
      options.note(`Probing ${provider}`)
      // a step of the processor copies nothing
      const variants = provider === USUAL_PROVIDER ? [] : question.variants
      probes.set(provider, await probeProvider({ ...question, provider, variants }, options.signal))
    }
    const isNeeded = [...probes.values()].some(({ isAvailable }) => isAvailable)
    if (!isNeeded) return question.providers.map((name) => compared(name, probes, undefined, undefined))
    const base = await hear(question, USUAL_PROVIDER, undefined, scratch, options)
    const found: ComparedProvider[] = []
    for (const provider of question.providers) {
      const isThere = probes.get(provider)?.isAvailable === true
      const own =
        provider === USUAL_PROVIDER
          ? base
          : isThere
            ? await hear(question, provider, base, scratch, options)
            : undefined
      found.push(compared(provider, probes, own, base))
    }
    return found
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

async function hear(
  question: ProvidersQuestion,
  provider: string,
  base: HeardClips | undefined,
  scratch: string,
  { signal, progress }: ComparingOptions,
): Promise<HeardClips> {
  const wanted = Object.fromEntries(
    [...(base?.clips ?? [])].map(([variant, clips]) => [variant, clips.map(({ tokens }) => tokens)]),
  )
  const total = question.variants.length * question.clips.length
  let done = 0
  const reference = base === undefined ? 'write' : 'read'
  return hearClips({ ...question, provider, reference, wanted, scratch }, signal, () =>
    progress(provider, ++done, total),
  )
}

function compared(
  provider: string,
  probes: ReadonlyMap<string, Probe>,
  own: HeardClips | undefined,
  base: HeardClips | undefined,
): ComparedProvider {
  const { tolerance, isTried } = providerOf(provider)
  const probe = probes.get(provider) as Probe
  const variants = [...(own?.clips ?? [])].map(([variant, clips]): ComparedVariant => {
    const wanted = base?.clips.get(variant) ?? []
    const problem = own?.problems.get(variant) ?? base?.problems.get(variant)
    const verdict = judgeProvider(variant, clips, wanted, tolerance, problem)
    return { variant, clips, verdict, ...(problem !== undefined && { problem }) }
  })
  return {
    ...{ provider, isTried, probe, variants },
    ...(own?.host !== undefined && { host: own.host }),
    ...(own?.device !== undefined && { device: own.device }),
  }
}
