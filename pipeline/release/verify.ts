import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { hashFile } from '../../eval/hash-file.ts'
import type { Emit } from '../events.ts'
import { VARIANTS, variantLabel } from '../layout.ts'
import { releaseProblems } from './contract.ts'
import { freshness } from './freshness.ts'
import { isModelFile, type Manifest, type ReleaseFile, sumsOf } from './manifest.ts'
import { MANIFEST, type ReleaseFolder, SUMS } from './release-files.ts'
import { selfTest } from './self-test.ts'
import { strayOf } from './stray-files.ts'

/** One thing that was looked at. */
export interface Check {
  readonly check: string
  /** what was found, in a few words */
  readonly found: string
  readonly problems: readonly string[]
  /** what mends it, where that is not to download or package again */
  readonly hint?: string
}

export interface VerifyOptions {
  readonly threads: number
  /** labels; all that are complete by default */
  readonly variants?: readonly string[]
  readonly emit: Emit
  readonly signal: AbortSignal
}

/**
 * Check a release on disk as a stranger would: every byte against the manifest, the contract, and whether each variant
 * loads and hears the clip of this project as it did when it was made.
 *
 * A release's own folder must be complete. A download (graphs and manifest in one folder) needs all files of one variant.
 */
export async function verifyRelease(
  { root, model }: ReleaseFolder,
  manifest: Manifest,
  options: VerifyOptions,
): Promise<Check[]> {
  const isDownload = root === model
  const { there, absent } = await findFiles(manifest, root, model)
  const complete = completeVariants(manifest, absent)
  const checks = [
    presence(manifest, absent, complete, isDownload, options.variants),
    await checksums(there, options),
    ...(isDownload ? [] : await releaseChecks({ root, model }, manifest, options)),
    await contract(model),
  ]
  const variants = complete.filter((label) => options.variants?.includes(label) ?? true)
  for (const label of variants) checks.push(await hears(model, label, manifest, options))
  return checks
}

/** The contract, and the recorded text, of the files in `folder`. */
export async function verifyVariant(
  folder: string,
  label: string,
  manifest: Manifest,
  options: VerifyOptions,
): Promise<Check[]> {
  return [await contract(folder), await hears(folder, label, manifest, options)]
}

type Place = ReleaseFile & { readonly file: string }

async function findFiles(
  { files }: Manifest,
  root: string,
  model: string,
): Promise<{ there: Place[]; absent: Place[] }> {
  const [there, absent]: [Place[], Place[]] = [[], []]
  for (const described of files) {
    const place = { ...described, file: join(isModelFile(described) ? model : root, described.path) }
    const info = await stat(place.file).catch(() => undefined)
    ;(info?.isFile() ? there : absent).push(place)
  }
  return { there, absent }
}

function completeVariants({ files }: Manifest, absent: readonly Place[]): string[] {
  const all = new Set(files.flatMap(({ variants }) => variants))
  const broken = new Set(absent.filter(isModelFile).flatMap(({ variants }) => variants))
  return [...all].filter((label) => !broken.has(label))
}

function presence(
  manifest: Manifest,
  absent: readonly Place[],
  variants: readonly string[],
  isDownload: boolean,
  wanted: readonly string[] | undefined,
): Check {
  const names = absent.map(({ path }) => path)
  const problems = isDownload ? [] : names.map((name) => `${name} is missing.`)
  for (const label of wanted ?? []) {
    if (variants.includes(label)) continue
    const own = absent.filter((file) => isModelFile(file) && file.variants.includes(label))
    problems.push(
      `${label} is not complete: ${own.map(({ path }) => path).join(', ') || 'it is not in the manifest'}.`,
    )
  }
  if (variants.length === 0 && problems.length === 0)
    problems.push(`No variant is complete: ${names.join(', ')} missing.`)
  const found = `${manifest.files.length - absent.length} of ${manifest.files.length} files, ${variants.join(' and ') || 'no variant'} complete`
  return { check: 'files', found, problems }
}

async function checksums(there: readonly Place[], { emit, signal }: VerifyOptions): Promise<Check> {
  const problems: string[] = []
  let bytes = 0
  for (const [i, { path, file, size, sha256 }] of there.entries()) {
    emit({ event: 'progress', what: 'checksums', done: i, total: there.length, unit: 'files' })
    const info = await stat(file)
    bytes += info.size
    if (info.size !== size) problems.push(`${path} has ${info.size} bytes, wanted ${size}.`)
    else if ((await hashFile(file, 'sha256', signal)) !== sha256)
      problems.push(`${path} has another sha256 than the manifest's ${sha256.slice(0, 12)}...`)
  }
  return { check: 'sha256', found: `${there.length} files, ${bytes} bytes`, problems }
}

/** Whether SHA256SUMS says what the manifest says, and the manifest's own hash. */
async function sums(manifest: Manifest, root: string): Promise<Check> {
  const found = await readFile(join(root, SUMS), 'utf8').catch(() => undefined)
  const wanted = sumsOf(manifest.files, await hashFile(join(root, MANIFEST), 'sha256'), manifest.name)
  const problem = found === undefined ? `${SUMS} is missing.` : `${SUMS} does not say what ${MANIFEST} says.`
  return {
    check: SUMS,
    found: `${manifest.files.length + 1} lines`,
    problems: found === wanted ? [] : [problem],
  }
}

/** What a release's own folder must be, and a download need not. */
async function releaseChecks(
  release: ReleaseFolder,
  manifest: Manifest,
  { signal }: VerifyOptions,
): Promise<Check[]> {
  const fresh = await freshness(release, manifest, signal)
  return [
    await sums(manifest, release.root),
    ...(await strangers(manifest, release.root, release.model)),
    ...(fresh ? [fresh] : []),
  ]
}

/** What lies in a release that its manifest does not name; files of a file manager are told apart. */
async function strangers({ files, name }: Manifest, root: string, model: string): Promise<Check[]> {
  const known = new Set(files.map(({ path }) => path))
  const [inside, outside] = [await readdir(model), await readdir(root)]
  const own = new Set([MANIFEST, SUMS, name])
  const strange = [
    ...inside.filter((entry) => !known.has(entry)).map((entry) => join(model, entry)),
    ...outside.filter((entry) => !known.has(entry) && !own.has(entry)).map((entry) => join(root, entry)),
  ]
  const [strays, others] = [true, false].map((isStray) =>
    strange.filter((path) => (strayOf(basename(path)) !== undefined) === isStray),
  ) as [string[], string[]]
  const nothingElse = {
    check: 'nothing else',
    found: `${inside.length - strange.filter((path) => dirname(path) === model).length} files of the model`,
    problems: others.map((path) => `${basename(path)} is not in the manifest.`),
  }
  if (strays.length === 0) return [nothingElse]
  const stray = {
    check: 'stray files',
    found: strays.map((path) => basename(path)).join(', '),
    problems: strays.map(
      (path) => `${path} is a file of ${strayOf(basename(path))}, not of the release. Delete it.`,
    ),
    hint: `Delete ${strays.length === 1 ? 'it' : 'them'}, then run the same command again. The release itself is as it was made.`,
  }
  return [nothingElse, stray]
}

async function contract(folder: string): Promise<Check> {
  const graphs = (await readdir(folder)).filter((name) => name.endsWith('.onnx') && !strayOf(name))
  return { check: 'contract', found: `${graphs.length} graphs`, problems: await releaseProblems(folder) }
}

/** Whether a variant loads, and says of the clip what it said when the release was made. */
async function hears(
  folder: string,
  label: string,
  { selfTests }: Manifest,
  { threads, signal, emit }: VerifyOptions,
): Promise<Check> {
  const check = `${label} hears`
  const wanted = selfTests.find(({ variant }) => variant === label)
  const variant = VARIANTS.find((name) => variantLabel(name) === label)
  if (!wanted || variant === undefined)
    return { check, found: '-', problems: [`The manifest records no text of ${label}.`] }
  emit({ event: 'progress', what: `loading ${label}`, done: 0, total: 1, unit: 'variants' })
  try {
    const [heard] = await selfTest(folder, [variant], { threads, signal })
    const found = JSON.stringify(heard?.text)
    if (heard?.clipSha256 !== wanted.clipSha256)
      return { check, found, problems: [`${wanted.clip} here is another clip than the recorded one.`] }
    const isSame = heard.text === wanted.text
    return {
      check,
      found,
      problems: isSame ? [] : [`${label} says ${found}, recorded is ${JSON.stringify(wanted.text)}.`],
    }
  } catch (error) {
    signal.throwIfAborted()
    return { check, found: '-', problems: [`${label} cannot be used: ${(error as Error).message}`] }
  }
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
