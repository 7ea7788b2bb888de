// SPDX-License-Identifier: Apache-2.0

import { isModelFile } from './manifest.ts'
import type { ReleaseFile } from './manifest-schema.ts'
import type { ReleaseFolder } from './release-files.ts'
import type { Check, Found } from './verify-release.ts'

/** Files that a problem names before it counts the rest. */
const NAMED = 3

/**
 * Whether the model directory that a release lies in still holds the files that the release was made of. Stages that ran
 * since have changed or removed them, and then the release is the older one that waits to be replaced.
 * @param files that the release was made of
 */
export function freshness(
  { root, model }: ReleaseFolder,
  files: readonly ReleaseFile[],
  { absent, wrong }: Found,
): Check {
  const [missing, others] = [namesOf(absent), namesOf(wrong)]
  return {
    check: 'up to date',
    found: `${files.length - missing.length - others.length} of ${files.length} files in the model directory`,
    problems: [
      ...(missing.length > 0
        ? [`${model} no longer has ${listOf(missing)}, of which the release was made.`]
        : []),
      ...(others.length > 0
        ? [`${model} holds other bytes than the release was made of: ${listOf(others)}.`]
        : []),
    ],
    hint: `Make the new release: npm run package -- ${model}. To keep the archives of the older one, move ${root} to another folder.`,
  }
}

function namesOf(files: readonly ReleaseFile[]): string[] {
  return files.filter(isModelFile).map(({ path }) => path)
}

function listOf(names: readonly string[]): string {
  const rest = names.length - NAMED
  return `${names.slice(0, NAMED).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`
}
