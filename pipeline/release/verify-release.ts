// SPDX-License-Identifier: Apache-2.0

import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { hashFile } from '../../eval/hash-file.ts'
import { plural } from '../../eval/plural.ts'
import type { Emit } from '../shared/events.ts'
import { releaseProblems } from './contract-problems.ts'
import { folderChecks } from './folder-checks.ts'
import { freshness } from './freshness.ts'
import { isModelFile } from './manifest.ts'
import type { Manifest, ReleaseFile } from './manifest-schema.ts'
import type { ReleaseFolder } from './release-files.ts'
import { SELF_TESTERS, selfTests } from './self-test.ts'
import { strayOf } from './stray-files.ts'

/** One thing that was looked at. */
export interface Check {
  readonly check: string
  /** what was found, in a few words */
  readonly found: string
  readonly problems: readonly string[]
  /** not a fault of the files, but users of the release should read it */
  readonly warning?: string
  /** what fixes it, where that is not to download or package again */
  readonly hint?: string
}

/** How a release is verified. */
export interface VerifyOptions {
  readonly threads: number
  /** all that are complete by default */
  readonly variants?: readonly string[]
  readonly emit: Emit
  readonly signal: AbortSignal
}

/** A file of a release, where it should be. */
type Place = ReleaseFile & { readonly file: string }

/** Files of a release against its manifest. */
export interface Found {
  readonly there: readonly Place[]
  readonly absent: readonly Place[]
  /** of those that are there, the ones with other bytes, and a sentence of it */
  readonly wrong: readonly (Place & { readonly problem: string })[]
  /** of those that are there */
  readonly bytes: number
}

/**
 * Check a release on disk as a user would: every byte against the manifest, and the contract. Also whether each
 * variant loads and makes of the clip of this project what it did when it was made.
 *
 * A release in its model directory must be complete, and that directory must hold what it was made of: when it does
 * not, nothing further is checked. A download (all files in one folder) needs those of one variant.
 */
export async function verifyRelease(
  release: ReleaseFolder,
  manifest: Manifest,
  options: VerifyOptions,
): Promise<Check[]> {
  const { root, model } = release
  const found = await compareFiles(manifest, release, options)
  const complete = completeVariants(manifest, found.absent)
  const own = manifest.files.filter(isModelFile)
  const checks: Check[] = []
  checks.push(gatesOf(manifest))
  if (root === model) checks.push(completeness(manifest, found, complete, options), checksums(found))
  else {
    const fresh = freshness(release, own, found)
    checks.push(...(await folderChecks(release, manifest, found)), fresh)
    if (fresh.problems.length > 0) return checks
    checks.push(packaged(complete, options))
  }
  const names = root === model ? undefined : own.map(({ path }) => path)
  checks.push(await contract(model, names))
  const variants = complete.filter((variant) => options.variants?.includes(variant) ?? true)
  for (const variant of variants) checks.push(await works(model, variant, manifest, options))
  return checks
}

/** The gates that the manifest records, the contract, and what is recorded of the clip, of the files in `folder`. */
export async function verifyVariant(
  folder: string,
  variant: string,
  manifest: Manifest,
  options: VerifyOptions,
): Promise<Check[]> {
  return [gatesOf(manifest), await contract(folder), await works(folder, variant, manifest, options)]
}

/** What the makers of the release found of it, as the manifest says. */
function gatesOf({ gates = [], ungated }: Manifest): Check {
  const warning = ungated.length === 0 ? {} : { warning: `It was not validated: ${ungated.join(' ')}` }
  return {
    check: 'gates',
    found: `${plural(gates.length, 'gate')} in the manifest`,
    problems: [],
    ...warning,
  }
}

async function compareFiles(
  { files }: Manifest,
  { root, model }: ReleaseFolder,
  { emit, signal }: VerifyOptions,
): Promise<Found> {
  const [there, absent]: [Place[], Place[]] = [[], []]
  for (const described of files) {
    const place = { ...described, file: join(isModelFile(described) ? model : root, described.path) }
    const info = await stat(place.file).catch(() => undefined)
    ;(info?.isFile() ? there : absent).push(place)
  }
  const wrong: Found['wrong'][number][] = []
  let bytes = 0
  for (const [i, place] of there.entries()) {
    emit({ event: 'progress', what: 'checksums', done: i, total: there.length, unit: 'files' })
    const { size } = await stat(place.file)
    bytes += size
    const problem = await problemOf(place, size, signal)
    if (problem !== undefined) wrong.push({ ...place, problem })
  }
  return { there, absent, wrong, bytes }
}

async function problemOf(
  { path, file, size, sha256 }: Place,
  found: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (found !== size) return `${path} has ${found} bytes, wanted ${size}.`
  return (await hashFile(file, 'sha256', signal)) === sha256
    ? undefined
    : `${path} has another sha256 than the manifest's ${sha256.slice(0, 12)}...`
}

function completeVariants({ files }: Manifest, absent: readonly Place[]): string[] {
  const all = new Set(files.flatMap(({ variants }) => variants))
  const broken = new Set(absent.filter(isModelFile).flatMap(({ variants }) => variants))
  return [...all].filter((variant) => !broken.has(variant))
}

/** Whether a download has all files of a variant, or of those that are wanted. */
function completeness(
  { files }: Manifest,
  { absent }: Found,
  complete: readonly string[],
  { variants: wanted = [] }: VerifyOptions,
): Check {
  const problems = wanted
    .filter((variant) => !complete.includes(variant))
    .map((variant) => {
      const own = absent.filter((file) => isModelFile(file) && file.variants.includes(variant))
      return `${variant} is not complete: ${own.map(({ path }) => path).join(', ') || 'it is not in the manifest'}.`
    })
  if (complete.length === 0 && problems.length === 0)
    problems.push(`No variant is complete: ${absent.map(({ path }) => path).join(', ')} missing.`)
  const found = `${files.length - absent.length} of ${files.length} files, ${complete.join(' and ') || 'no variant'} complete`
  return { check: 'files', found, problems }
}

/** Whether a release has the variants that are wanted. */
function packaged(complete: readonly string[], { variants: wanted = [] }: VerifyOptions): Check {
  const others = wanted.filter((variant) => !complete.includes(variant))
  return {
    check: 'variants',
    found: complete.join(' and '),
    problems: others.map((variant) => `${variant} is not in the manifest.`),
  }
}

function checksums({ there, wrong, bytes }: Found): Check {
  return {
    check: 'sha256',
    found: `${there.length} files, ${bytes} bytes`,
    problems: wrong.map(({ problem }) => problem),
  }
}

/** @param only names of the release's files, where others lie beside them */
async function contract(folder: string, only?: readonly string[]): Promise<Check> {
  const names = (only ?? (await readdir(folder))).filter((name) => name.endsWith('.onnx') && !strayOf(name))
  return { check: 'contract', found: `${names.length} graphs`, problems: await releaseProblems(folder, only) }
}

/** Whether a variant loads, and makes of the clip what it made when the release was made. */
async function works(
  folder: string,
  variant: string,
  { family = 'asr', selfTests: recorded }: Manifest,
  { threads, signal, emit }: VerifyOptions,
): Promise<Check> {
  const { verb, described, isSame } = SELF_TESTERS[family]
  const check = `${variant} ${verb}`
  const wanted = recorded.find((test) => test.variant === variant)
  if (!wanted) return { check, found: '-', problems: [`The manifest records no text of ${variant}.`] }
  emit({ event: 'progress', what: `loading ${variant}`, done: 0, total: 1, unit: 'variants' })
  try {
    const { text } = wanted
    const [made = wanted] = await selfTests(folder, [variant], { family, text, threads, signal })
    const found = excerpt(described(made))
    if (made.clipSha256 !== wanted.clipSha256)
      return { check, found, problems: [`${wanted.clip} here is another clip than the recorded one.`] }
    return {
      check,
      found,
      problems: isSame(made, wanted) ? [] : [differenceOf(variant, described(made), described(wanted))],
    }
  } catch (error) {
    signal.throwIfAborted()
    return { check, found: '-', problems: [`${variant} cannot be used: ${(error as Error).message}`] }
  }
}

/** Letters of a text that a message shows: a garbled transcript may be very long. */
const SHOWN = 72

/** Two texts where they begin to differ. */
function differenceOf(variant: string, found: string, wanted: string): string {
  const letters = [...wanted]
  const differs = [...found].findIndex((letter, i) => letter !== letters[i])
  const from = Math.max(0, (differs < 0 ? [...found].length : differs) - SHOWN / 2)
  return `${variant} says ${excerpt(found, from)}, recorded is ${excerpt(wanted, from)}.`
}

function excerpt(text: string, from = 0): string {
  const letters = [...text]
  const start = letters.length <= SHOWN ? 0 : from
  const end = start + SHOWN
  return `${start > 0 ? '...' : ''}${letters.slice(start, end).join('')}${letters.length > end ? '...' : ''}`
}

/**
 * What to do about checks that failed.
 * @param usual for faults that no check has a better remedy for
 */
export function remedyOf(checks: readonly Check[], usual: string): string {
  const failed = checks.filter(({ problems }) => problems.length > 0)
  const hints = [...new Set(failed.map(({ hint }) => hint ?? usual))]
  return hints.length === 1 ? (hints[0] ?? usual) : usual
}
