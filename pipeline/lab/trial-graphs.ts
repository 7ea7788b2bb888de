// SPDX-License-Identifier: Apache-2.0

import { cp, mkdir, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { EMBEDDINGS, ENCODER, graphFile, JSON_FILES, LAYOUTS } from '../../eval/runtime/graphs.ts'
import { linkOrCopy } from '../../graph-tools/alias.ts'
import { renameOver } from '../../graph-tools/rename-over.ts'
import { variantFilesOf } from '../evaluate/fingerprint.ts'
import type { runPython } from '../python/run-python.ts'
import { type Made, quantizeVariant, requireFit } from '../quantize/quantize-variant.ts'
import { GRAPH_DEFAULTS } from '../recipes.ts'
import { EXIT, Failure } from '../shared/failure.ts'
import { exists, freshFolder } from '../shared/output-files.ts'
import type { TrialRecipe } from './trial-recipe.ts'
import type { TrialRecord } from './trial-record.ts'

/* Making the graphs of a trial, in a folder of its own. */

/** Where the graphs of a trial are made. */
export interface TrialMaking {
  /** FP32's release */
  readonly model: string
  /** becomes a release that holds the trial alone, in the fused layout */
  readonly folder: string
  /** folder of the calibration, for recipes that need one */
  readonly calibration?: string | undefined
  readonly python: Parameters<typeof runPython>[2]
  readonly signal: AbortSignal
}

/** The name of a trial's variant: names of variants are read in lower case. */
export function trialVariant({ name }: Pick<TrialRecipe, 'name'>): string {
  return name.toLowerCase()
}

/**
 * Make the fused graphs of a trial, and link what else a reader needs.
 * @returns what the recipe leaves open
 * @throws Failure naming the file of the recipe when it does not fit the graphs
 */
export async function makeTrial(trial: TrialRecipe, making: TrialMaking): Promise<Made> {
  const { model, folder, calibration } = making
  await freshFolder(folder)
  // a reader of the trial has its embeddings in the output layer
  const embeddings = trial.recipe.embeddings === undefined ? [EMBEDDINGS] : []
  for (const name of [...embeddings, ...JSON_FILES])
    if (await exists(join(model, name))) await linkOrCopy(join(model, name), join(folder, name))
  return named(trial, () => quantizeVariant(...ofTrial(trial, making), { ...OPTIONS, calibration }))
}

/**
 * Before the calibration that a trial needs is made.
 * @throws Failure naming the file of the recipe when it does not fit the graphs
 */
export async function requireTrialFits(trial: TrialRecipe, making: TrialMaking): Promise<void> {
  await named(trial, () => requireFit(...ofTrial(trial, making), OPTIONS))
}

const OPTIONS = { accuracyLevel: GRAPH_DEFAULTS.accuracyLevel, decoders: LAYOUTS.fused }

function ofTrial(trial: TrialRecipe, { model, folder, python, signal }: TrialMaking) {
  const making = { from: model, to: folder, work: join(folder, 'making'), python, signal, emit: () => {} }
  return [making, trialVariant(trial), trial.recipe] as const
}

async function named<Result>(trial: TrialRecipe, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof Failure) || error.exitCode === EXIT.interrupted) throw error
    throw new Failure(`${trial.file}: ${error.message}`, error.hint, error.exitCode)
  }
}

/** Bytes of the files that a reader of a trial loads, by what they hold. */
export async function bytesByPart(folder: string, variant: string): Promise<TrialRecord['bytes']> {
  const { paths, bytes: total } = await variantFilesOf(folder, variant)
  const sizeOf = async (path: string) => (await stat(path)).size
  const bytes = { decoder: 0, encoder: 0, embeddings: 0, total }
  for (const path of paths) {
    const name = path.slice(folder.length + 1)
    if (name === graphFile(ENCODER, variant)) bytes.encoder += await sizeOf(path)
    else if (name.startsWith('embed_tokens')) bytes.embeddings += await sizeOf(path)
    else if (name.startsWith('decoder')) bytes.decoder += await sizeOf(path)
  }
  return bytes
}

/**
 * Check that the folder of `--keep` has no folder of one of these trials yet.
 * @throws Failure (wrong usage) naming the first folder that is there already
 */
export async function requireNew(keep: string, trials: readonly TrialRecipe[]): Promise<void> {
  for (const { name } of trials)
    if (await exists(join(keep, name)))
      throw new Failure(
        `--keep ${keep}: ${join(keep, name)} is there already, wanted a new folder.`,
        'Name another folder, or remove that one.',
        EXIT.usage,
      )
}

/** Move a trial's folder to where it is kept, also on another disk. */
export async function keepTrial(folder: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true })
  await renameOver(folder, to).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EXDEV') throw error
    await cp(folder, `${to}.partial`, { recursive: true })
    await renameOver(`${to}.partial`, to)
    await rm(folder, { recursive: true })
  })
}
