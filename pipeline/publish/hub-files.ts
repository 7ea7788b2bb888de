// SPDX-License-Identifier: Apache-2.0

import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { hashInto } from '../../eval/hash-file.ts'
import { FileBlob } from '../hub/file-blob.ts'
import { gitBlobHash } from '../hub/git-blob.ts'
import { isModelFile, parseManifest, sumsOf } from '../release/manifest.ts'
import type { Manifest, ReleaseFile } from '../release/manifest-schema.ts'
import { MANIFEST, type ReleaseFolder, SUMS } from '../release/release-files.ts'
import { EXIT, Failure } from '../shared/failure.ts'

/** A file as the repository will have it: everything of a release lies at the top there. */
export interface HubFile {
  readonly path: string
  readonly size: number
  readonly sha256: string
  readonly content: Blob
  /** sha1 of the git blob that its bytes make */
  gitOid(): Promise<string>
}

/** What the hub keeps beside the large files, and is read when the commit is made: hours after it was looked at. */
const DOCUMENT = /\.(json|md|svg)$/

/**
 * What a release puts into a repository: the model's files, the documents, and the archives.
 * @param withArchives without, programs that load single files lose nothing
 * @throws Failure when a document is not what the manifest says
 */
export async function hubFiles(
  { root, model }: ReleaseFolder,
  manifest: Manifest,
  withArchives: boolean,
): Promise<HubFile[]> {
  const chosen = manifest.files.filter(({ role }) => withArchives || role !== 'archive')
  const files: HubFile[] = []
  for (const file of chosen) {
    const path = join(isModelFile(file) ? model : root, file.path)
    files.push(DOCUMENT.test(file.path) ? await inMemory(file, path) : onDisk(file, path))
  }
  const described = await readFile(join(root, MANIFEST))
  if (!isDeepStrictEqual(parseManifest(described.toString(), MANIFEST), manifest)) throw changed(MANIFEST)
  const own = ofBytes(MANIFEST, described)
  return [...files, own, ofBytes(SUMS, Buffer.from(sumsOf(chosen, own.sha256)))]
}

function onDisk({ path, size, sha256 }: ReleaseFile, file: string): HubFile {
  return {
    path,
    size,
    sha256,
    content: new FileBlob(file, 0, size),
    gitOid: async () => (await hashInto(gitBlobHash(size), file, size)).digest('hex'),
  }
}

async function inMemory({ path, sha256 }: ReleaseFile, file: string): Promise<HubFile> {
  const read = ofBytes(path, await readFile(file))
  if (read.sha256 !== sha256) throw changed(path)
  return read
}

function ofBytes(path: string, bytes: Buffer): HubFile {
  return {
    ...{ path, size: bytes.length, content: new Blob([bytes]) },
    sha256: createHash('sha256').update(bytes).digest('hex'),
    gitOid: async () => gitBlobHash(bytes.length).update(bytes).digest('hex'),
  }
}

function changed(path: string): Failure {
  return new Failure(
    `${path} has changed since the release was checked.`,
    'Is it being packaged? Run the same command again when it is complete.',
    EXIT.gate,
  )
}
