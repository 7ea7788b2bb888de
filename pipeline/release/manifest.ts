// SPDX-License-Identifier: Apache-2.0

import { join } from 'node:path'
import { mainDifferences, mainRows, type Report } from '../../eval/report/report.ts'
import { defined } from '../../eval/runtime/defined.ts'
import { ALIGNER, EMBEDDINGS, ENCODER, FAMILIES } from '../../eval/runtime/graphs.ts'
import { parseJsonObject, readJsonFile } from '../../eval/runtime/json-file.ts'
import { variantName } from '../../eval/runtime/release.ts'
import { checked } from '../shared/checked.ts'
import { Failure, failing } from '../shared/failure.ts'
import { writeJson } from '../shared/output-files.ts'
import {
  MANIFEST_SCHEMA,
  type Manifest,
  type Measurement,
  type ReleaseFile,
  type Role,
} from './manifest-schema.ts'
import { MANIFEST } from './release-files.ts'

const HINT = 'Use a newer version of this project, or take the manifest from the release again.'

/**
 * Read manifest.json of a release.
 * @throws Failure when it is missing, or not a manifest of this format, naming the key that is wrong
 */
export async function readManifest(root: string): Promise<Manifest> {
  const path = join(root, MANIFEST)
  const value = await readJsonFile(path, failing(HINT))
  if (value) return named(checked(MANIFEST_SCHEMA, value, { file: path, hint: HINT }))
  throw new Failure(`${path} is missing.`, 'npm run package -- MODEL_DIR makes a release.')
}

/** Check the text of a manifest.json. @param where for the message */
export function parseManifest(text: string, where: string): Manifest {
  const value = parseJsonObject(Buffer.from(text), where, failing(HINT))
  return named(checked(MANIFEST_SCHEMA, value, { file: where, hint: HINT }))
}

/** With the names that variants have now: older releases wrote FP32. */
function named(manifest: Manifest): Manifest {
  return {
    ...manifest,
    files: manifest.files.map((file) => ({ ...file, variants: file.variants.map(variantName) })),
    selfTests: manifest.selfTests.map((test) => ({ ...test, variant: variantName(test.variant) })),
  }
}

/**
 * Write manifest.json of a release.
 * @throws Failure for one that could not be read again
 */
export async function writeManifest(root: string, manifest: Manifest): Promise<void> {
  parseManifest(JSON.stringify(manifest), MANIFEST)
  await writeJson(join(root, MANIFEST), manifest)
}

/** By graph. */
const GRAPH_ROLES: ReadonlyMap<string, Role> = new Map<string, Role>([
  ...FAMILIES.asr.graphs.map((graph) => [graph, 'decoder'] as const),
  ...Object.values(FAMILIES).map(({ prompts }) => [prompts, 'prefill'] as const),
  [ENCODER, 'encoder'],
  [ALIGNER, 'aligner'],
])

/** What a file of the model directory is. */
export function roleOf(name: string): Role {
  const graph = name.split('.')[0] ?? ''
  if (graph === EMBEDDINGS.split('.')[0]) return 'embeddings'
  const role = GRAPH_ROLES.get(graph)
  if (name.endsWith('.json')) return role === 'prefill' ? role : 'config'
  return role ?? 'weights'
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
    ...defined({ hotwords: report.run.hotwords }),
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
