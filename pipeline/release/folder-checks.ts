// SPDX-License-Identifier: Apache-2.0

import { readdir, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { hashFile } from '../../eval/hash-file.ts'
import { isModelFile, sumsOf } from './manifest.ts'
import type { Manifest, ReleaseFile } from './manifest-schema.ts'
import { MANIFEST, type ReleaseFolder, SUMS } from './release-files.ts'
import { strayOf } from './stray-files.ts'
import type { Check, Found } from './verify-release.ts'

/** What a release's own folder must hold: archives, documents, checksums of these, and nothing else. */
export async function folderChecks(
  release: ReleaseFolder,
  manifest: Manifest,
  { there, absent, wrong }: Found,
): Promise<Check[]> {
  const [whole, missing, other] = [ofFolder(there), ofFolder(absent), ofFolder(wrong)]
  return [
    {
      check: 'archives and documents',
      found: `${whole.length - other.length} of ${whole.length + missing.length} as in the manifest`,
      problems: [...missing.map(({ path }) => `${path} is missing.`), ...other.map(({ problem }) => problem)],
    },
    await sums(manifest, release.root),
    ...(await strangers(manifest, release)),
  ]
}

function ofFolder<File extends Pick<ReleaseFile, 'role'>>(files: readonly File[]): File[] {
  return files.filter((file) => !isModelFile(file))
}

/** Whether SHA256SUMS says what the manifest says, and the manifest's own hash. */
async function sums(manifest: Manifest, root: string): Promise<Check> {
  const files = ofFolder(manifest.files)
  const found = await readFile(join(root, SUMS), 'utf8').catch(() => undefined)
  const wanted = sumsOf(files, await hashFile(join(root, MANIFEST), 'sha256'))
  const problem = found === undefined ? `${SUMS} is missing.` : `${SUMS} differs from ${MANIFEST}.`
  return { check: SUMS, found: `${files.length + 1} lines`, problems: found === wanted ? [] : [problem] }
}

/**
 * What lies in a release that its manifest does not name; files of a file manager are listed separately. In the model directory
 * only those count that readers take for graphs: much else lies there that is not released.
 */
async function strangers({ files }: Manifest, { root, model }: ReleaseFolder): Promise<Check[]> {
  const own = new Set([...ofFolder(files).map(({ path }) => path), MANIFEST, SUMS])
  const inside = await readdir(root)
  const strange = inside.filter((name) => !own.has(name))
  const strays = [
    ...strange.filter(strayOf).map((name) => join(root, name)),
    ...(await readdir(model))
      .filter((name) => name.endsWith('.onnx') && strayOf(name))
      .map((name) => join(model, name)),
  ]
  const nothingElse = {
    check: 'nothing else',
    found: `${inside.length - strange.length} files`,
    problems: strange.filter((name) => !strayOf(name)).map((name) => `${name} is not in the manifest.`),
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
