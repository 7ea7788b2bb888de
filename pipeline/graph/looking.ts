import { basename, dirname, resolve } from 'node:path'
import { diffModels } from '../../graph-tools/diff.ts'
import { GraphError } from '../../graph-tools/graph-error.ts'
import { inspectModel, sharedData } from '../../graph-tools/inspect.ts'
import { isPending } from '../../graph-tools/journal.ts'
import { type Model, openModel } from '../../graph-tools/model.ts'
import { graphsToOpen, verifyFolder } from '../../graph-tools/verify.ts'
import { say, sayJson } from '../terminal.ts'
import { openReasons } from './open-reasons.ts'
import { differenceLines, inspectionLines, sharedLines, verifyLines } from './reports.ts'

const PENDING = 'was interrupted; the next command that rewrites there finishes it'

/** Describe graphs, and what several of them share. */
export async function runInspect(
  files: readonly string[],
  { json, all }: { json: boolean; all: boolean },
): Promise<void> {
  const models = await openToLook(files)
  for (const model of models) {
    const found = inspectModel(model)
    if (json) sayJson({ file: model.path, ...found })
    else say([...inspectionLines(basename(model.path ?? ''), found, all), ''])
  }
  if (models.length < 2) return
  const shared = sharedData(models)
  if (json) sayJson({ shared })
  else say(sharedLines(shared))
}

/** @returns whether two graphs are the same */
export async function runDiff(a: string, b: string, json: boolean): Promise<boolean> {
  const [left, right] = await openToLook([a, b])
  if (!left || !right) return false
  const found = await diffModels(left, right)
  if (json) sayJson(found)
  else say(differenceLines(found))
  return found.isSame
}

/** @returns whether a folder is as it should be: the static checks, then onnxruntime where they found no fault */
export async function runVerify(
  folder: string,
  { json, load }: { json: boolean; load: boolean },
): Promise<boolean> {
  const report = await verifyFolder(folder)
  const tried = load && report.problems.length === 0 ? await graphsToOpen(folder) : []
  const reasons = await openReasons(tried, 'basic')
  const refused = tried.flatMap((path, i) =>
    reasons[i] === undefined ? [] : [`onnxruntime does not load ${path}: ${reasons[i]}`],
  )
  const problems = [...report.problems, ...refused]
  const loaded = tried.length - refused.length
  if (json) sayJson({ folder, ...report, problems, loaded })
  else say(verifyLines(folder, { ...report, problems }, loaded))
  return problems.length === 0
}

/** Looking changes nothing: an interrupted change of the folder is only said to be there. */
async function openToLook(files: readonly string[]): Promise<Model[]> {
  const pending = new Set<string>()
  for (const folder of new Set(files.map((file) => dirname(resolve(file))))) {
    if (!(await isPending(folder))) continue
    pending.add(folder)
    say([`note: A change of ${folder} ${PENDING}.`], process.stderr)
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
