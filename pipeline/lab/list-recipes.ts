// SPDX-License-Identifier: Apache-2.0

import { basename, dirname, resolve } from 'node:path'
import { openRelease } from '../../eval/runtime/release.ts'
import { variantFilesOf } from '../evaluate/fingerprint.ts'
import type { Recipe } from '../recipe-schema.ts'
import { encoderTags, GRAPH_DEFAULTS, layoutsOf, needsCalibration, recipeTag } from '../recipes.ts'
import { onlyModel } from '../release/only-model.ts'
import { formatBytes } from '../shared/output-files.ts'
import { pathsOf } from '../shared/paths.ts'
import { VARIANTS } from '../variants.ts'
import { readTrials } from './trial-record.ts'

/** A variant of the table, or a trial that has been run. */
export interface ListedRecipe {
  readonly name: string
  readonly kind: 'variant' | 'trial'
  readonly about: string
  /** in words; empty for FP32 */
  readonly decoder: string
  readonly encoder: string
  readonly layouts: readonly string[]
  readonly needsCalibration: boolean
  /** of its files in the folder; of a trial when it was measured */
  readonly bytes?: number
}

/** All variants of the table and all trials of a folder. Without a folder, and none in output/: the table alone. */
export async function listRecipes(modelDir: string | undefined): Promise<ListedRecipe[]> {
  const folder = modelDir ?? (await onlyModel('name its folder with --model-dir').catch(() => undefined))
  const there = new Map<string, number>()
  if (folder !== undefined)
    for (const { name } of (await openRelease(folder)).variants)
      there.set(name, (await variantFilesOf(folder, name)).bytes)
  const variants = Object.entries(VARIANTS).map(([name, { about, recipe }]): ListedRecipe => {
    const bytes = there.get(name)
    return { name, kind: 'variant', about, ...wordsOf(recipe), ...(bytes !== undefined && { bytes }) }
  })
  if (folder === undefined) return variants
  const full = resolve(folder)
  const trials = await readTrials(pathsOf(dirname(full), basename(full)))
  return [
    ...variants,
    ...trials.map(({ name, recipe, bytes }): ListedRecipe => {
      return { name, kind: 'trial', about: 'trial', ...wordsOf(recipe), bytes: bytes.total }
    }),
  ]
}

function wordsOf(recipe: Recipe | undefined) {
  const { accuracyLevel } = GRAPH_DEFAULTS
  return {
    decoder: recipe === undefined ? 'float32' : recipeTag(recipe, accuracyLevel),
    encoder: (recipe && encoderTags(recipe, accuracyLevel)) ?? 'float32',
    layouts: layoutsOf(recipe),
    needsCalibration: recipe !== undefined && needsCalibration(recipe),
  }
}

/** Columns of {@link listRows}. */
export const LIST_COLUMNS = [
  'name',
  'about',
  'decoder',
  'encoder',
  'layouts',
  'calibration',
  'files',
] as const

/** Cells of a table of recipes, by {@link LIST_COLUMNS}. */
export function listRows(listed: readonly ListedRecipe[]): string[][] {
  return listed.map(({ name, about, decoder, encoder, layouts, needsCalibration: needs, bytes }) => [
    ...[name, about, decoder, encoder, layouts.join(', '), needs ? 'yes' : 'no'],
    bytes === undefined ? '-' : formatBytes(bytes),
  ])
}
