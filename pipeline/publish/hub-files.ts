import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { hashFile, hashInto } from '../../eval/hash-file.ts'
import { FileBlob } from '../hub/file-blob.ts'
import { gitBlobHash } from '../hub/git-blob.ts'
import { isModelFile, type Manifest } from '../release/manifest.ts'
import { MANIFEST, type ReleaseFolder, SUMS } from '../release/release-files.ts'

/** A file as the repository will have it: everything of a release lies at the top there. */
export interface HubFile {
  readonly path: string
  readonly size: number
  readonly sha256: string
  readonly content: Blob
  /** sha1 of the git blob that its bytes make */
  gitOid(): Promise<string>
}

/**
 * What a release puts into a repository: the model's files, the documents, and the archives.
 * @param withArchives without, programs that load single files lose nothing
 */
export async function hubFiles(
  { root, model }: ReleaseFolder,
  { files, name }: Manifest,
  withArchives: boolean,
): Promise<HubFile[]> {
  const chosen = files.filter(({ role }) => withArchives || role !== 'archive')
  const manifest = join(root, MANIFEST)
  return [
    ...chosen.map((file) => onDisk(file.path, join(isModelFile(file) ? model : root, file.path), file)),
    onDisk(MANIFEST, manifest, {
      size: (await stat(manifest)).size,
      sha256: await hashFile(manifest, 'sha256'),
    }),
    await flatSums(root, name, new Set([...chosen.map(({ path }) => path), MANIFEST])),
  ]
}

function onDisk(path: string, file: string, { size, sha256 }: { size: number; sha256: string }): HubFile {
  return {
    path,
    size,
    sha256,
    content: new FileBlob(file, 0, size),
    gitOid: async () => (await hashInto(gitBlobHash(size), file, size)).digest('hex'),
  }
}

/** SHA256SUMS without the model's folder, as the repository has none. */
async function flatSums(root: string, name: string, kept: ReadonlySet<string>): Promise<HubFile> {
  const lines = (await readFile(join(root, SUMS), 'utf8')).split('\n').filter((line) => line !== '')
  const flat = lines
    .map((line) => line.replace(`  ${name}/`, '  '))
    .filter((line) => kept.has(line.slice(66)))
  const bytes = Buffer.from(flat.map((line) => `${line}\n`).join(''))
  return {
    ...{ path: SUMS, size: bytes.length, content: new Blob([bytes]) },
    sha256: createHash('sha256').update(bytes).digest('hex'),
    gitOid: async () => gitBlobHash(bytes.length).update(bytes).digest('hex'),
  }
}
