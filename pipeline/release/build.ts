// SPDX-License-Identifier: Apache-2.0

import { rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { hashFile } from '../../eval/hash-file.ts'
import { defined } from '../../eval/runtime/defined.ts'
import type { Family } from '../../eval/runtime/graphs.ts'
import { openRelease } from '../../eval/runtime/release.ts'
import { readTokenizer } from '../../eval/runtime/tokenizer.ts'
import { isRepoName } from '../hub/hub-id.ts'
import type { Emit } from '../shared/events.ts'
import { EXIT, Failure } from '../shared/failure.ts'
import { hashFiles } from '../shared/hash-cache.ts'
import { formatBytes, freshFolder, writeText } from '../shared/output-files.ts'
import { ownVersion } from '../shared/own-version.ts'
import type { Paths } from '../shared/paths.ts'
import { type FileOptions, variantFiles } from '../variants.ts'
import { writeArchive } from './archive/write-archive.ts'
import { modelCard } from './card.ts'
import { commandOf } from './command.ts'
import { type Evidence, gatherEvidence } from './evidence.ts'
import { fidelityPoints } from './fidelity-points.ts'
import { MAIN_FIGURES } from './main-figure.ts'
import { isModelFile, measurementsOf, roleOf, sumsOf, writeManifest } from './manifest.ts'
import { MANIFEST_FORMAT, type Manifest, type ReleaseFile } from './manifest-schema.ts'
import type { PackageOptions } from './packaging-options.ts'
import {
  archiveName,
  CARD,
  CHART,
  FIDELITY_CHART,
  MANIFEST,
  modelFiles,
  SUMS,
  topFolder,
} from './release-files.ts'
import { recoverFolder, replaceFolder } from './replace-folder.ts'
import { selfTests } from './self-test.ts'

/** What a release is built of. */
export interface BuildOptions extends Omit<PackageOptions, 'command' | 'modelDir' | 'variants'> {
  readonly name: string
  readonly paths: Paths
  readonly variants: readonly string[]
  readonly emit: Emit
  readonly signal: AbortSignal
}

/**
 * Make a release of a model directory: an archive of the contract's files for each variant, checksums, manifest,
 * model card and chart. The files themselves stay where they are. It appears under its name when it is complete; an
 * older one stays until then.
 * @throws Failure with the gate's exit code when parity or WER were not measured on these files, or failed
 */
export async function buildRelease(options: BuildOptions): Promise<Manifest> {
  const { paths, variants, evaluations, emit } = options
  await recoverFolder(paths.release)
  const evidence = await gatherEvidence(paths, variants, evaluations)
  requireGates(options, evidence.problems)
  for (const problem of evidence.problems) emit({ event: 'note', text: `Not validated: ${problem}` })
  const building = `${paths.release}.partial`
  try {
    const manifest = await buildAside(options, evidence, building)
    await replaceFolder(building, paths.release)
    report(options, manifest)
    return manifest
  } catch (error) {
    await rm(building, { recursive: true, force: true }).catch(() => undefined) // the first error says more
    throw error
  }
}

/** A whole release in a folder that is not its place yet. */
async function buildAside(options: BuildOptions, evidence: Evidence, building: string): Promise<Manifest> {
  await freshFolder(building)
  const { family, provenance } = evidence
  const own = { prefillInt8: provenance.options.prefillInt8, family }
  const files = [...(await describeFiles(options, own)), ...(await makeArchives(options, building, own))]
  const manifest = await describeRelease(options, evidence, files)
  await writeDocuments(options, evidence, building, manifest)
  return manifest
}

/** Charts that a release has whatever it was measured on, by the kind of model. */
const CHARTS: Readonly<Record<Family, readonly string[]>> = { asr: [CHART, FIDELITY_CHART], aligner: [] }

/** Files that are in the folder of any release of these variants, absolute. */
export function releaseFiles(
  { paths, name }: Pick<BuildOptions, 'paths' | 'name'>,
  variants: readonly string[],
  family: Family,
): string[] {
  const archives = variants.map((variant) => archiveName(name, variant))
  return [...archives, CARD, ...CHARTS[family], MANIFEST, SUMS].map((path) => join(paths.release, path))
}

function requireGates({ allowUngated, paths }: BuildOptions, problems: readonly string[]): void {
  if (allowUngated || problems.length === 0) return
  throw new Failure(
    `${paths.model} is not packaged: ${problems.join(' ')}`,
    'Run the pipeline with --from validate. --allow-ungated packages it all the same, and the model card says so.',
    EXIT.gate,
  )
}

async function describeFiles(
  { paths: { model, work }, variants, signal, emit }: BuildOptions,
  own: FileOptions,
): Promise<ReleaseFile[]> {
  const names = modelFiles(variants, own)
  const paths = names.map((name) => join(model, name))
  const onFile = (done: number) =>
    emit({ event: 'progress', what: 'sha256', done, total: names.length, unit: 'files' })
  const cache = join(work, 'sha256.json')
  const sums = await hashFiles(paths, { cache, algorithm: 'sha256', signal, onFile })
  return Promise.all(
    names.map(async (name, i): Promise<ReleaseFile> => {
      const first = names[sums.indexOf(sums[i] ?? '')] ?? name
      return {
        ...{ path: name, size: (await stat(paths[i] ?? '')).size, sha256: sums[i] ?? '', role: roleOf(name) },
        variants: variants.filter((variant) => variantFiles(variant, own).includes(name)),
        ...(first !== name && { aliasOf: first }),
      }
    }),
  )
}

async function makeArchives(
  { name, paths, variants, signal, emit, level }: BuildOptions,
  out: string,
  own: FileOptions,
): Promise<ReleaseFile[]> {
  const archives: ReleaseFile[] = []
  for (const variant of variants) {
    const file = archiveName(name, variant)
    const members = variantFiles(variant, own).map((member) => join(paths.model, member))
    const archive = await writeArchive(join(out, file), topFolder(name, variant), members, {
      ...{ signal, ...(level !== undefined && { level }) },
      onProgress: (done, total) => emit({ event: 'progress', what: file, done, total, unit: 'bytes' }),
    })
    archives.push({ path: file, ...archive, role: 'archive', variants: [variant] })
  }
  return archives
}

/** A manifest of this version. */
type Described = Manifest & Required<Pick<Manifest, 'software'>>

async function describeRelease(
  options: BuildOptions,
  evidence: Evidence,
  files: readonly ReleaseFile[],
): Promise<Described> {
  const { family, provenance, gates, claims, fidelity, reference, measured, problems } = evidence
  const { model, revision, license, checkpoint, adapter } = provenance
  return {
    ...{ format: MANIFEST_FORMAT, family, name: options.name },
    source: { model, ...defined({ revision, adapter }), license, checkpoint },
    ...{ options: provenance.options, recipes: provenance.recipes, tools: provenance.tools },
    software: await ownVersion(),
    ...defined({
      calibration: provenance.calibration,
      chosen: provenance.chosen,
      encoders: provenance.encoders,
    }),
    ...{ command: commandOf(evidence, options.name) },
    ungated: problems,
    files,
    selfTests: await selfTests(options.paths.model, options.variants, { ...options, family }),
    ...{ providers: claims, gates, fidelity, reference },
    evaluation: measured.flatMap(measurementsOf),
  }
}

/** Model card, chart, manifest; checksums of all at last. */
async function writeDocuments(
  { name, paths, variants }: BuildOptions,
  evidence: Evidence,
  building: string,
  manifest: Described,
): Promise<void> {
  const tokenizer = await readTokenizer(paths.model)
  const { config } = await openRelease(paths.model)
  const charts = await chartsOf(paths, evidence, manifest)
  for (const [file, svg] of charts) await writeText(join(building, file), svg)
  const card = modelCard({
    ...{ name, evidence, tokenizer, command: manifest.command, files: manifest.files, variants },
    software: manifest.software,
    ...{ charts: [...charts.keys()], ...defined({ aligner: config.aligner }) },
  })
  await writeText(join(building, CARD), card)
  const documents = [CARD, ...charts.keys()]
  const described = await Promise.all(documents.map((file) => documentOf(building, file)))
  await writeManifest(building, { ...manifest, files: [...manifest.files, ...described] })
  const sha256 = await hashFile(join(building, MANIFEST), 'sha256')
  const own = [...manifest.files.filter((file) => !isModelFile(file)), ...described]
  await writeText(join(building, SUMS), sumsOf(own, sha256))
}

/** Those for which there are figures, by their files. */
async function chartsOf(
  paths: Paths,
  { family, reports, fidelity, fp32 }: Evidence,
  { files }: Manifest,
): Promise<Map<string, string>> {
  const [{ figureChart }, { fidelityChart }] = await Promise.all([
    import('./chart.ts'), // with the libraries that draw
    import('./fidelity-chart.ts'),
  ])
  const archives = files.filter(({ role }) => role === 'archive')
  const sizes = new Map(archives.map(({ variants, size }) => [variants[0] ?? '', size]))
  const main = MAIN_FIGURES[family]
  const drawn = [
    [main.file, figureChart(main, reports, sizes)],
    [FIDELITY_CHART, fidelityChart(await fidelityPoints(paths, fidelity, reports, fp32))],
  ] as const
  return new Map(drawn.flatMap(([file, svg]) => (svg === undefined ? [] : [[file, svg]])))
}

async function documentOf(building: string, path: string): Promise<ReleaseFile> {
  const file = join(building, path)
  const { size } = await stat(file)
  return { path, size, sha256: await hashFile(file, 'sha256'), role: 'documentation', variants: [] }
}

/** The archives, the documents: manifest.json lists each file. */
function report({ paths, emit }: BuildOptions, manifest: Manifest): void {
  const { files } = manifest
  const archives = files.filter(({ role }) => role === 'archive')
  emit({
    event: 'table',
    title: `Release in ${paths.release}`,
    columns: ['file', 'size', 'role', 'variants'],
    rows: [
      ...archives.map(({ path, size, role, variants }) => [
        ...[path, formatBytes(size), role, variants.join(', ')],
      ]),
      [CARD, '', 'card', ''],
      [MANIFEST, '', 'manifest', ''],
      [SUMS, '', 'checksums', ''],
    ],
  })
  for (const text of missingLinks(manifest)) emit({ event: 'note', text })
}

/** What a visitor of the model card cannot find, and why. */
function missingLinks({ source: { model, adapter }, software }: Manifest): string[] {
  const models = [model, ...(adapter ? [adapter.base.model] : [])]
  return [
    ...(models.some(isRepoName)
      ? []
      : [`The model card cannot link to ${models.join(' or ')}: a folder has no hub id.`]),
    ...(software?.repository === undefined
      ? ['The model card cannot link to this software: git has no remote "origin" with a web address.']
      : []),
  ]
}
