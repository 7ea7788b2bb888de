// SPDX-License-Identifier: Apache-2.0

import { constants } from 'node:fs'
import { copyFile, mkdir, open, realpath, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { linkOrCopy } from './alias.ts'
import type { FileChange } from './commit.ts'
import { writeAll } from './files.ts'
import { locationsOf } from './folder.ts'
import { GraphError } from './graph-error.ts'
import { nameIn, PARTIAL } from './journal.ts'
import { type Model, openModel } from './model.ts'

/** Try to open graphs in a runtime: for each path undefined, or why it is not opened. */
export type OpenCheck = (paths: readonly string[]) => Promise<readonly (string | undefined)[]>

/** Where a change lies as it will be, while it is tried out. */
const STAGE = `.graph-tools-check${PARTIAL}`

/**
 * Try out the graphs of a change that is written and not decided. They and their data files are put beside each other
 * under their names, by hard links where the file system has them.
 * @throws GraphError when one is not opened, unless the old graph in its place is not opened either
 */
export async function refuseUnopened(
  folder: string,
  changes: readonly FileChange[],
  graphs: ReadonlySet<string>,
  opens: OpenCheck,
): Promise<void> {
  const tried = changes.filter((change) => graphs.has(change.path))
  const stage = join(folder, STAGE)
  await rm(stage, { recursive: true, force: true })
  try {
    const staged: string[] = []
    for (const change of tried) staged.push(await stageGraph(folder, stage, change, changes))
    const after = await opens(staged)
    const failed = tried.flatMap(({ path }, i) => {
      const reason = after[i]
      return reason === undefined ? [] : [{ path, reason: withoutStage(reason, stage, folder) }]
    })
    const before = failed.length === 0 ? [] : await opens(failed.map(({ path }) => path))
    const refused = failed.find((_, i) => before[i] === undefined)
    if (refused) throw unopenedError(refused.path, refused.reason)
  } finally {
    await rm(stage, { recursive: true, force: true })
  }
}

function unopenedError(path: string, reason: string): GraphError {
  return new GraphError(
    `${basename(path)} could not be opened after this rewrite, and can be now: ${reason}`,
    'Nothing was changed.',
  )
}

function withoutStage(reason: string, stage: string, folder: string): string {
  return reason.replaceAll(stage, folder)
}

async function stageGraph(
  folder: string,
  stage: string,
  change: FileChange,
  changes: readonly FileChange[],
): Promise<string> {
  const path = join(stage, nameIn(folder, change.path))
  await mkdir(dirname(path), { recursive: true })
  if ('patch' in change) await patchedCopy(change.path, path, change)
  else await linkOrCopy(change.path + PARTIAL, path)
  const written = new Set(changes.flatMap((other) => ('remove' in other ? [] : [other.path])))
  const model = openModel(path)
  const unlinked = readByChecker(model)
  for (const location of locationsOf(model)) {
    const [from, to] = [join(folder, location), join(stage, location)]
    await mkdir(dirname(to), { recursive: true })
    const source = written.has(from) ? from + PARTIAL : await realpath(from).catch(() => undefined)
    if (source === undefined) continue // a file that is missing is for the runtime to find
    if (unlinked.has(location)) {
      await rm(to, { force: true })
      await copyFile(source, to, constants.COPYFILE_FICLONE)
    } else await linkOrCopy(source, to).catch(ignoreThere) // another graph may have brought it
  }
  return path
}

/**
 * Data files of tensors inside of nodes, such as the bodies of If, Loop and Scan. onnxruntime gives nodes to ONNX's checker,
 * which refuses data files with several hard links (onnx/checker.cc, "hardlink attack").
 */
function readByChecker({ tensors, graph }: Model): ReadonlySet<string> {
  const outer = new Set(graph.initializers)
  return new Set(tensors.filter((tensor) => !outer.has(tensor)).flatMap(({ location }) => location ?? []))
}

function ignoreThere(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error
}

/** What is patched in its place is copied for the trial: at once where the file system shares blocks. */
async function patchedCopy(from: string, to: string, { patch, at }: { patch: Uint8Array; at: number }) {
  await copyFile(from, to, constants.COPYFILE_FICLONE)
  const file = await open(to, 'r+')
  await writeAll(file, patch, at).finally(() => file.close())
}
