// SPDX-License-Identifier: Apache-2.0

import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { defined } from '../../eval/runtime/defined.ts'
import { FP32 } from '../../eval/runtime/graphs.ts'
import { openRelease } from '../../eval/runtime/release.ts'
import { connectHub } from '../hub/connection.ts'
import { isFull, requireSpace } from '../shared/disk-space.ts'
import type { Emit } from '../shared/events.ts'
import { EXIT, type ExitCode, Failure } from '../shared/failure.ts'
import { takeLock } from '../shared/lock.ts'
import { type NextStep, publishStep, shellWord, stepsAfterModel } from '../shared/next-steps.ts'
import { exists } from '../shared/output-files.ts'
import { type Paths, pathsOf } from '../shared/paths.ts'
import { asStep } from '../shared/step.ts'
import { requireWritable } from '../shared/writable.ts'
import { type Expected, readArchive, tarLimit, type Unpacked } from './archive/read-archive.ts'
import { buildRelease } from './build.ts'
import { differencesOf } from './differences.ts'
import { fetchRelease } from './fetch.ts'
import { isModelFile, readManifest } from './manifest.ts'
import type { Manifest } from './manifest-schema.ts'
import { onlyModel } from './only-model.ts'
import type { PackageOptions, VerifyCommandOptions } from './packaging-options.ts'
import { readProvenance } from './provenance.ts'
import { findDocuments, findRelease, MANIFEST } from './release-files.ts'
import { type Check, remedyOf, verifyRelease, verifyVariant } from './verify-release.ts'

/**
 * Carry out `npm run package`: make a release, or verify one.
 * @throws Failure; a release that is not right is an exit code
 */
export async function runPackage(
  options: PackageOptions | VerifyCommandOptions,
  emit: Emit,
  signal: AbortSignal,
): Promise<ExitCode> {
  return options.command === 'package'
    ? packageModel(options, emit, signal)
    : verifyTarget(options, emit, signal)
}

async function packageModel(options: PackageOptions, emit: Emit, signal: AbortSignal): Promise<ExitCode> {
  const folder = resolve(options.modelDir ?? (await onlyModel('give its folder')))
  const name = basename(folder)
  const paths = pathsOf(dirname(folder), name)
  if (!(await exists(join(folder, 'config.json')))) {
    throw new Failure(
      `${folder} is not a model directory: it holds no config.json.`,
      'npm run pipeline -- --model MODEL makes one in output/.',
    )
  }
  const remedy = 'Copy the model directory to a place that you can write, and package it there.'
  await requireWritable(folder, 'The model directory', remedy)
  const release = await takeLock(join(paths.work, 'lock'), folder)
  try {
    const started = performance.now()
    const { family, ungated } = await asStep(
      { step: 'package', of: name, output: paths.release, emit },
      async () =>
        buildRelease({ ...options, variants: await madeVariants(options, paths), name, paths, emit, signal }),
    )
    const seconds = (performance.now() - started) / 1000
    const isUngated = ungated.length > 0
    const next = stepsAfterModel({
      ...{ model: folder, name, release: paths.release, isUngated },
      ...defined({ family }),
    })
    emit({ event: 'done', seconds, release: `The release is in ${paths.release}`, next })
    return EXIT.done
  } finally {
    await release()
  }
}

/** What a command line names, or all that the model directory was made with. */
async function madeVariants({ variants }: PackageOptions, paths: Paths): Promise<readonly string[]> {
  if (variants !== undefined) return variants
  const provenance = await readProvenance(paths)
  return [FP32, ...Object.keys(provenance?.recipes ?? {})]
}

async function verifyTarget(
  options: VerifyCommandOptions,
  emit: Emit,
  signal: AbortSignal,
): Promise<ExitCode> {
  const started = performance.now()
  const target = options.target ?? options.fromHub ?? ''
  const keep = options.keep === undefined ? undefined : resolve(options.keep)
  if (keep !== undefined) await requireWritable(keep, '--keep', 'Name another folder with --keep.')
  const folder = keep ?? (await mkdtemp(join(tmpdir(), 'qwen3-asr-verify-')))
  try {
    const checks = await asStep({ step: 'verify', of: target, output: keep ?? 'checks', emit }, () =>
      checkTarget(target, folder, { ...options, emit, signal }),
    )
    const seconds = (performance.now() - started) / 1000
    return verdict(checks, target, { seconds, next: await stepsAfterVerify(options) }, emit)
  } catch (error) {
    throw isFull(error) ? fullFolder(folder, options) : error
  } finally {
    if (keep === undefined) await rm(folder, { recursive: true, force: true })
  }
}

function fullFolder(folder: string, options: VerifyCommandOptions): Failure {
  const what = options.keep === undefined ? 'The temporary folder' : 'The folder of --keep'
  return new Failure(`The disk is full. ${what} is ${folder}.`, spaceHint(options))
}

function spaceHint({ keep }: VerifyCommandOptions): string {
  return keep === undefined
    ? 'Free space there, or set TMPDIR to a folder with more, then run the same command again.'
    : 'Free space there, or name another folder with --keep.'
}

type Context = VerifyCommandOptions & { readonly emit: Emit; readonly signal: AbortSignal }

async function checkTarget(target: string, folder: string, options: Context): Promise<Check[]> {
  if (options.fromHub !== undefined) return checkPublished(options.fromHub, folder, options)
  const info = await stat(target).catch(() => undefined)
  if (!info)
    throw new Failure(`${target} does not exist.`, 'Give an archive, a release folder, or --from-hub.')
  if (info.isFile()) return checkArchive(resolve(target), folder, options)
  const release = await findRelease(target)
  const manifest = await readManifest(release.root)
  const checks = await verifyRelease(release, manifest, options)
  return [...checks, ...(await againstLocal(manifest, options))]
}

/** A published release: fetched, checked as any download, and compared with one that is here. */
async function checkPublished(name: string, folder: string, options: Context): Promise<Check[]> {
  const { variants, emit, signal } = options
  const hub = await connectHub()
  const { manifest, check } = await fetchRelease({
    ...{ hub, name, folder, emit, signal },
    ...(variants && { variants }),
  })
  const checks = await verifyRelease({ root: folder, model: folder }, manifest, options)
  return [check, ...checks, ...(await againstLocal(manifest, options))]
}

/** Differences in the model's files are a problem; figures in the documents differ with every run. */
async function againstLocal(manifest: Manifest, { against, emit }: Context): Promise<Check[]> {
  if (against === undefined) return []
  const local = await readManifest(await findDocuments(against))
  const { rows, same, inModel } = differencesOf(manifest, local)
  if (rows.length > 0)
    emit({ event: 'table', title: `Against ${against}`, columns: ['what', 'difference'], rows })
  return [
    {
      check: 'same as local',
      found: `${same} files the same, ${rows.length} differences`,
      problems: inModel === 0 ? [] : [`${inModel} files of the model are not those in ${against}.`],
    },
  ]
}

/**
 * An archive against the manifest beside it: its own bytes, its members, then what is in it.
 * @throws Failure for an archive that holds anything else than the manifest names, before that is written
 */
async function checkArchive(path: string, folder: string, options: Context): Promise<Check[]> {
  const manifest = await manifestOf(path, options)
  const described = manifest.files.find((file) => file.path === basename(path))
  const { emit, signal } = options
  const out = unpackedIn(folder)
  if (await exists(out)) throw new Failure(`${out} is there already.`, 'Name another folder with --keep.')
  const what = `unpacking ${basename(path)}`
  const variantIn = (top: string) => described?.variants[0] ?? variantNamed(top, manifest)
  const contents = described ? [expectedOf(manifest, variantIn(''))] : expectedOfAll(manifest)
  const largest = Math.max(
    ...contents.flatMap((files) => [...files.values()].reduce((sum, size) => sum + size, 0)),
  )
  await requireSpace(folder, largest, `Unpacking ${basename(path)}`, spaceHint(options))
  const unpacked = await readArchive(path, out, {
    ...{ signal, maxBytes: Math.max(...contents.map(tarLimit)) },
    expected: (top) => expectedOf(manifest, variantIn(top)),
    onProgress: (done, total) => emit({ event: 'progress', what, done, total, unit: 'bytes' }),
  })
  const variant = variantIn(unpacked.top)
  return [
    {
      check: 'archive',
      found: `sha256 ${unpacked.sha256.slice(0, 16)}...`,
      problems: described?.sha256 === unpacked.sha256 ? [] : [archiveProblem(path, described?.sha256)],
    },
    members(unpacked, manifest, variant),
    ...(await verifyVariant(out, variant, manifest, options)),
  ]
}

async function manifestOf(path: string, { manifest }: VerifyCommandOptions): Promise<Manifest> {
  const file = manifest === undefined ? join(dirname(path), MANIFEST) : resolve(manifest)
  if (await exists(file)) return readManifest(dirname(file))
  throw new Failure(
    `${file} is missing: nothing shows what ${basename(path)} should hold.`,
    `Download ${MANIFEST} of the same release beside it, or name one with --manifest.`,
  )
}

/** What the archive of a variant may hold. */
function expectedOf({ files }: Manifest, variant: string): Expected {
  const own = files.filter((file) => isModelFile(file) && file.variants.includes(variant))
  return new Map(own.map(({ path, size }) => [path, size]))
}

function expectedOfAll(manifest: Manifest): Expected[] {
  const names = new Set(manifest.files.flatMap(({ variants }) => variants))
  return [...names].map((variant) => expectedOf(manifest, variant))
}

/** A renamed archive: which variant it is, by its folder. */
function variantNamed(top: string, { files }: Manifest): string {
  const own = files.find(({ path }) => path === `${top}.tar.gz`)
  const variant = own?.variants[0]
  if (variant !== undefined) return variant
  throw new Failure(
    `The manifest has no variant in a folder ${top}.`,
    `Take ${MANIFEST} of the same release.`,
  )
}

function archiveProblem(path: string, wanted: string | undefined): string {
  return wanted === undefined
    ? `${basename(path)} is not in the manifest.`
    : `${basename(path)} has another sha256 than the manifest's ${wanted}.`
}

function members({ members }: Unpacked, { files }: Manifest, variant: string): Check {
  const wanted = files.filter((file) => isModelFile(file) && file.variants.includes(variant))
  const found = new Map(members.map((member) => [member.name, member.sha256]))
  const problems = [
    ...wanted.filter(({ path }) => !found.has(path)).map(({ path }) => `${path} is missing.`),
    ...wanted
      .filter(({ path, sha256 }) => found.has(path) && found.get(path) !== sha256)
      .map(({ path }) => `${path} has another sha256 than the manifest's.`),
    ...members
      .filter(({ name }) => !wanted.some(({ path }) => path === name))
      .map(({ name }) => `${name} is not a file of ${variant}.`),
  ]
  return { check: 'members', found: `${members.length} files of ${variant}`, problems }
}

/** A release folder of ours can be published; a download is there to be used. */
async function stepsAfterVerify({ target, keep }: VerifyCommandOptions): Promise<NextStep[]> {
  const info = target === undefined ? undefined : await stat(target).catch(() => undefined)
  const release =
    target !== undefined && info?.isDirectory() === true
      ? await findRelease(target).catch(() => undefined)
      : undefined
  if (release !== undefined && release.root !== release.model) {
    const { ungated } = await readManifest(release.root)
    return [publishStep(shellWord(target ?? ''), basename(release.model), ungated.length > 0)]
  }
  const kept = keep !== undefined && info?.isFile() === true ? unpackedIn(keep) : keep
  const folder = release?.model ?? kept
  if (folder === undefined) return []
  const family = (await openRelease(folder).catch(() => undefined))?.family // one that is not right has no steps
  return stepsAfterModel({ model: folder, name: basename(folder), ...defined({ family }) })
}

/** Where the files of an archive are put. */
function unpackedIn(folder: string): string {
  return join(folder, 'unpacked')
}

function verdict(
  checks: readonly Check[],
  target: string,
  { seconds, next }: { readonly seconds: number; readonly next: readonly NextStep[] },
  emit: Emit,
): ExitCode {
  emit({
    event: 'table',
    title: `Checks of ${target}`,
    columns: ['check', 'verdict', 'found'],
    rows: checks.map((check) => [check.check, verdictOf(check), check.found]),
  })
  const warnings = checks.flatMap(({ warning }) => warning ?? [])
  for (const text of warnings) emit({ event: 'note', text })
  const problems = checks.flatMap((check) => check.problems)
  if (problems.length === 0) {
    const release = `${target} is right${warnings.length > 0 ? ', but see the note' : ''}`
    emit({ event: 'done', seconds, release, next })
    return EXIT.done
  }
  for (const text of problems) emit({ event: 'note', text })
  throw new Failure(
    `${target} is not right: ${problems.length} ${problems.length === 1 ? 'problem' : 'problems'}, first: ${problems[0]}`,
    remedyOf(checks, 'Download or package it again; do not use it as it is.'),
    EXIT.gate,
  )
}

function verdictOf({ problems, warning }: Check): string {
  if (problems.length > 0) return 'FAIL'
  return warning === undefined ? 'pass' : 'note'
}
