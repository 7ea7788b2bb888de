import { stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { exists } from '../files.ts'
import { hashFiles } from '../hash-cache.ts'
import { layoutOf } from '../layout.ts'
import { isModelFile, type Manifest, type ReleaseFile } from './manifest.ts'
import { RELEASE, type ReleaseFolder } from './release-files.ts'
import type { Check } from './verify.ts'

/** Files that a problem names before it counts the rest. */
const NAMED = 3

/**
 * Whether the model directory that a release lies in still holds the files that the release was made of. Stages that ran
 * since have changed or removed them, and then the release is the older one that waits to be replaced.
 * @returns undefined for a release that lies elsewhere
 */
export async function freshness(
  { root, model }: ReleaseFolder,
  manifest: Manifest,
  signal: AbortSignal,
): Promise<Check | undefined> {
  const folder = dirname(root)
  const { work } = layoutOf(dirname(folder), basename(folder))
  if (basename(root) !== RELEASE || !(await exists(work))) return undefined
  const files = manifest.files.filter(isModelFile)
  const { missing, others } = await compareFiles(files, folder, model, work, signal)
  const problems = [
    ...(missing.length > 0
      ? [`${folder} no longer has ${listOf(missing)}, of which the release was made.`]
      : []),
    ...(others.length > 0
      ? [`${folder} holds other bytes than the release was made of: ${listOf(others)}.`]
      : []),
  ]
  return {
    check: 'up to date',
    found: `${files.length - missing.length - others.length} of ${files.length} files as in the model directory`,
    problems,
    hint: `Make the new release: npm run package -- ${folder}. To keep the older one, move ${root} to another folder.`,
  }
}

async function compareFiles(
  files: readonly ReleaseFile[],
  folder: string,
  model: string,
  work: string,
  signal: AbortSignal,
): Promise<{ missing: string[]; others: string[] }> {
  const [missing, others, doubtful]: [string[], string[], ReleaseFile[]] = [[], [], []]
  for (const file of files) {
    const [own, released] = await Promise.all(
      [folder, model].map((place) => stat(join(place, file.path)).catch(() => undefined)),
    )
    if (!own) missing.push(file.path)
    else if (own.size !== file.size) others.push(file.path)
    else if (own.ino !== released?.ino || own.dev !== released.dev) doubtful.push(file)
  }
  const hashes = await hashFiles(
    doubtful.map(({ path }) => join(folder, path)),
    { cache: join(work, 'sha256.json'), algorithm: 'sha256', signal },
  )
  others.push(...doubtful.filter(({ sha256 }, i) => hashes[i] !== sha256).map(({ path }) => path))
  return { missing, others }
}

function listOf(names: readonly string[]): string {
  const rest = names.length - NAMED
  return `${names.slice(0, NAMED).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`
}
