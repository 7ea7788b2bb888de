// SPDX-License-Identifier: Apache-2.0

import { basename, extname, join, resolve } from 'node:path'
import { openRelease } from '../../eval/runtime/release.ts'
import { defaultPlaces } from '../evaluate/evaluation-places.ts'
import { fingerprintFiles, variantFilesOf } from '../evaluate/fingerprint.ts'
import { EXIT, Failure } from '../shared/failure.ts'
import { writeJson } from '../shared/output-files.ts'
import { requireWritable } from '../shared/writable.ts'
import { bundledClips } from './bundled-clips.ts'
import { type ComparedProvider, compareProviders } from './compare-providers.ts'
import type { NamedClip } from './heard-clip.ts'
import { providerFile } from './provider-file.ts'
import { providerLines } from './provider-tables.ts'

/** What `npm run compare -- --providers` was given. */
export interface ProviderOptions {
  readonly providers: readonly string[]
  readonly modelDir: string
  /** all of the release by default */
  readonly variants?: readonly string[]
  /** the bundled speech by default */
  readonly audio?: readonly string[]
  readonly threads: number
  /** the file to send in */
  readonly output?: string
}

/** Where results go, and what is said on the way. */
interface Told {
  emit(event: {
    readonly event: 'progress'
    readonly what: string
    readonly done: number
    readonly total: number
    readonly unit: string
  }): void
  note(text: string): void
  report(facts: object, lines: () => readonly string[]): void
}

/**
 * Compare providers on this machine with its processor, and write the file of results.
 * @throws Failure with exit code 3 for a provider that is wrong, and 1 when none of those asked for is there
 */
export async function runComparison(
  options: ProviderOptions,
  told: Told,
  signal: AbortSignal,
): Promise<void> {
  const { providers, modelDir, audio, threads } = options
  const folder = resolve(modelDir)
  const release = await openRelease(folder, 'asr')
  const variants = options.variants ?? release.variants.map(({ name }) => name)
  for (const variant of variants) release.variant(variant)
  const output = options.output ?? (await usualFile(providers))
  await requireWritable(join(output, '..'), '--output', 'Name a file that can be written with --output.')
  const { clips, speech } = await clipsOf(audio)
  const found = await compareProviders(
    { folder, providers, variants, clips, threads },
    {
      ...{ signal, note: told.note },
      progress: (what, done, total) => told.emit({ event: 'progress', what, done, total, unit: 'clips' }),
    },
  )
  const name = basename(folder)
  const fingerprints = await fingerprintsOf(folder, variants)
  const hasTexts = audio === undefined
  const facts = providerFile(found, { folder, name, speech, threads, fingerprints, hasTexts })
  await writeJson(output, facts)
  const title = `Providers for ${name} on ${speech}`
  told.report({ file: output, ...facts }, () => [
    ...providerLines(title, found),
    `To send in, where a provider is untested or wrong: ${output}`,
  ])
  refuse(found)
}

async function usualFile(providers: readonly string[]): Promise<string> {
  const { results } = await defaultPlaces()
  const day = new Date().toISOString().slice(0, 10)
  return join(results, '..', `providers-${providers.join('+')}-${day}.json`)
}

async function clipsOf(
  audio: readonly string[] | undefined,
): Promise<{ clips: NamedClip[]; speech: string }> {
  if (audio !== undefined) {
    const clips = audio.map((file) => ({ id: basename(file, extname(file)), file: resolve(file) }))
    return { clips, speech: clips.length === 1 ? '1 recording' : `${clips.length} recordings` }
  }
  const clips = await bundledClips()
  return { clips, speech: `${clips.length} clips of the project's own speech` }
}

async function fingerprintsOf(folder: string, variants: readonly string[]): Promise<Record<string, string>> {
  const { cache } = await defaultPlaces()
  const entries: [string, string][] = []
  for (const variant of variants) {
    const { paths } = await variantFilesOf(folder, variant)
    entries.push([variant, await fingerprintFiles(paths, cache)])
  }
  return Object.fromEntries(entries)
}

function refuse(found: readonly ComparedProvider[]): void {
  const wrong = found.flatMap(({ provider, variants }) =>
    variants.flatMap(({ variant, verdict }) => (verdict.isRight ? [] : [{ provider, variant, verdict }])),
  )
  const [first] = wrong
  if (first !== undefined) {
    const more = wrong.length > 1 ? ` ${wrong.length - 1} more are wrong.` : ''
    throw new Failure(
      `${first.variant} on ${first.provider} is wrong: ${first.verdict.reasons.join('; ')}.${more}`,
      'Do not use or publish it for this provider; --provider cpu is right.',
      EXIT.gate,
    )
  }
  const [none] = found
  if (none !== undefined && found.every(({ probe }) => !probe.isAvailable))
    throw new Failure(
      `None of the providers that were asked for is available: ${found.map(({ provider }) => provider).join(', ')}.`,
      none.probe.hint ?? '',
    )
}
