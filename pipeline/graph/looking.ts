// SPDX-License-Identifier: Apache-2.0

import { basename, dirname, resolve } from 'node:path'
import { diffModels } from '../../graph-tools/diff.ts'
import { GraphError } from '../../graph-tools/graph-error.ts'
import { inspectModel, sharedData } from '../../graph-tools/inspect.ts'
import { isPending } from '../../graph-tools/journal.ts'
import { type Model, openModel } from '../../graph-tools/model.ts'
import { graphsToOpen, verifyFolder } from '../../graph-tools/verify.ts'
import { openReasons } from './open-reasons.ts'
import { differenceLines, inspectionLines, sharedLines, verifyLines } from './reports.ts'

/* Subcommands of `npm run graph` that change nothing. */

const PENDING = 'was interrupted; the next command that rewrites there finishes it'

/** Where results go, and what is said besides. */
interface Told {
  note(text: string): void
  report(facts: object, lines: () => readonly string[]): void
}

/** Describe graphs, and what several of them share. */
export async function runInspect(files: readonly string[], all: boolean, told: Told): Promise<void> {
  const models = await openToLook(files, told)
  for (const model of models) {
    const found = inspectModel(model)
    told.report({ file: model.path, ...found }, () => [
      ...inspectionLines(basename(model.path ?? ''), found, all),
      '',
    ])
  }
  if (models.length < 2) return
  const shared = sharedData(models)
  told.report({ shared }, () => sharedLines(shared))
}

/** Compare two graphs and report how they differ. @returns whether two graphs are the same */
export async function runDiff(a: string, b: string, told: Told): Promise<boolean> {
  const [left, right] = await openToLook([a, b], told)
  if (!left || !right) return false
  const found = await diffModels(left, right)
  told.report(found, () => differenceLines(found))
  return found.isSame
}

/**
 * Check a folder of graphs and report what is wrong.
 * @returns whether a folder is as it should be: the static checks, then onnxruntime where they found no fault
 */
export async function runVerify(folder: string, load: boolean, told: Told): Promise<boolean> {
  const report = await verifyFolder(folder)
  const tried = load && report.problems.length === 0 ? await graphsToOpen(folder) : []
  const reasons = await openReasons(tried, 'basic')
  const refused = tried.flatMap((path, i) =>
    reasons[i] === undefined ? [] : [`onnxruntime does not load ${path}: ${reasons[i]}`],
  )
  const problems = [...report.problems, ...refused]
  const loaded = tried.length - refused.length
  told.report({ folder, ...report, problems, loaded }, () =>
    verifyLines(folder, { ...report, problems }, loaded),
  )
  return problems.length === 0
}

/** Looking changes nothing: an interrupted change of the folder is only said to be there. */
async function openToLook(files: readonly string[], told: Told): Promise<Model[]> {
  const pending = new Set<string>()
  for (const folder of new Set(files.map((file) => dirname(resolve(file))))) {
    if (!(await isPending(folder))) continue
    pending.add(folder)
    told.note(`note: A change of ${folder} ${PENDING}.`)
  }
  return files.map((file) => {
    try {
      return openModel(file)
    } catch (error) {
      if (!(error instanceof GraphError) || !pending.has(dirname(resolve(file)))) throw error
      throw new GraphError(error.message, `A change of its folder ${PENDING}.`)
    }
  })
}
