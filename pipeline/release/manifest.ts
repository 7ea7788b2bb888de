import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { MachineUse } from '../../eval/report/report.ts'
import { mainDifferences, mainRows, type Report } from '../../eval/report/report.ts'
import type { PairedRow, Row } from '../../eval/summary.ts'
import { Failure } from '../failure.ts'
import { DECODERS, EMBEDDINGS, PREFILL } from '../layout.ts'
import type { Provenance } from '../provenance.ts'
import type { ParitySection } from './evidence.ts'
import { MANIFEST } from './release-files.ts'

export const MANIFEST_FORMAT = 1

export type Role =
  | 'encoder'
  | 'decoder'
  | 'prefill'
  | 'weights'
  | 'embeddings'
  | 'config'
  | 'archive'
  | 'documentation'

/** A file of the release as the hub's repository names it; `sha256` in hexadecimal. */
export interface ReleaseFile {
  readonly path: string
  readonly size: number
  readonly sha256: string
  readonly role: Role
  /** that need it; labels */
  readonly variants: readonly string[]
  /** another file with the same content */
  readonly aliasOf?: string
}

/** What a variant said of the clip that ships with the project. */
export interface SelfTest {
  readonly variant: string
  readonly clip: string
  readonly clipSha256: string
  readonly text: string
}

export interface Measurement {
  readonly dataset: string
  readonly source: Readonly<Record<string, unknown>>
  readonly selection: Readonly<Record<string, string | number>>
  readonly normalizer: string
  readonly results: readonly Row[]
  readonly differences: readonly PairedRow[]
  readonly machines: readonly MachineUse[]
}

/** manifest.json: every file, where it comes from, and what it was measured to be worth. */
export interface Manifest {
  readonly format: typeof MANIFEST_FORMAT
  readonly name: string
  readonly source: Pick<Provenance, 'model' | 'revision' | 'license' | 'checkpoint'>
  readonly options: Provenance['options']
  readonly tools: Provenance['tools']
  readonly command: string
  /** empty when parity and WER have passed; else why not */
  readonly ungated: readonly string[]
  readonly files: readonly ReleaseFile[]
  readonly selfTests: readonly SelfTest[]
  readonly parity?: Pick<ParitySection, 'checks' | 'int4' | 'reference'>
  readonly evaluation: readonly Measurement[]
}

/** @throws Failure when it is missing, no manifest, or of a later format */
export async function readManifest(root: string): Promise<Manifest> {
  const path = join(root, MANIFEST)
  const text = await readFile(path, 'utf8').catch(() => undefined)
  if (text === undefined)
    throw new Failure(`${path} is missing.`, 'npm run package -- MODEL_DIR makes a release.')
  return parseManifest(text, path)
}

/** @param where for the message */
export function parseManifest(text: string, where: string): Manifest {
  let value: Partial<Manifest> | null
  try {
    value = JSON.parse(text)
  } catch {
    throw new Failure(`${where} is not valid JSON.`, 'Take it from the release again.')
  }
  if (value?.format !== MANIFEST_FORMAT || !Array.isArray(value.files) || !Array.isArray(value.selfTests)) {
    const found = JSON.stringify(value?.format) ?? 'none'
    throw new Failure(
      `${where} has format ${found}, wanted ${MANIFEST_FORMAT} with files and self-tests.`,
      'Use a newer version of this project, or take the manifest from the release again.',
    )
  }
  checkFiles(value.files, where)
  return value as Manifest
}

/** Names that are files of their own on every file system, and sizes that can be. */
function checkFiles(files: readonly Partial<ReleaseFile>[], where: string): void {
  const seen = new Map<string, string>()
  for (const { path, size } of files) {
    if (typeof path !== 'string' || !/^[\w][\w.-]*$/.test(path))
      throw new Failure(`${where} names the file ${JSON.stringify(path)}, wanted a name without folders.`)
    if (!Number.isSafeInteger(size) || Number(size) < 0)
      throw new Failure(`${where} gives ${path} the size ${JSON.stringify(size)}, wanted bytes.`)
    const other = seen.get(path.toLowerCase())
    if (other !== undefined)
      throw new Failure(
        `${where} names both ${other} and ${path}, wanted names that differ in more than case.`,
      )
    seen.set(path.toLowerCase(), path)
  }
}

/** What a file of the model directory is. */
export function roleOf(name: string): Role {
  if (name.endsWith('.json')) return name.startsWith(PREFILL) ? 'prefill' : 'config'
  if (name === EMBEDDINGS) return 'embeddings'
  const graph = name.split('.')[0] ?? ''
  if (graph === 'encoder') return 'encoder'
  if (graph === PREFILL) return 'prefill'
  return DECODERS.some((decoder) => decoder === graph) ? 'decoder' : 'weights'
}

/** Whether it lies in the model directory; archives and documents lie in the release's own folder. */
export function isModelFile({ role }: Pick<ReleaseFile, 'role'>): boolean {
  return role !== 'archive' && role !== 'documentation'
}

/**
 * SHA256SUMS, as `sha256sum` writes it.
 * @param files that lie beside it
 * @param manifestSha256 of manifest.json, which comes last
 */
export function sumsOf(files: readonly ReleaseFile[], manifestSha256: string): string {
  const lines = files.map(({ path, sha256 }) => `${sha256}  ${path}`)
  return [...lines, `${manifestSha256}  ${MANIFEST}`, ''].join('\n')
}

/** A report without the single utterances. */
export function measurementsOf(report: Report): Measurement[] {
  const of = (name: string) => (row: { readonly dataset: string }) => row.dataset === name
  return report.run.datasets.map(({ name, source, normalizer }) => ({
    ...{ dataset: name, source: withoutPaths(source), selection: report.run.selection, normalizer },
    results: mainRows(report).filter(of(name)),
    differences: mainDifferences(report).filter(of(name)),
    machines: report.machines,
  }))
}

/** Where somebody keeps his recordings is nobody's business. */
function withoutPaths(source: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(source).filter(
      ([, value]) => typeof value !== 'string' || !/^(\/|[A-Za-z]:\\)/.test(value),
    ),
  )
}
