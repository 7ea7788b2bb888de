// SPDX-License-Identifier: Apache-2.0

import { basename, dirname, resolve } from 'node:path'
import { defined } from '../../eval/runtime/defined.ts'
import { openRelease } from '../../eval/runtime/release.ts'
import { variantFilesOf } from '../evaluate/fingerprint.ts'
import type { Recipe, Rule } from '../recipe-schema.ts'
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
  /** in words */
  readonly decoder: string
  readonly encoder: string
  /** none: FP32 as it was exported */
  readonly recipe?: Recipe
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
    ...defined({ recipe }),
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
  return listed.map(({ name, about, recipe, layouts, needsCalibration: needs, bytes }) => [
    ...[name, about, decoderText(recipe), rulesText(recipe?.encoder)],
    ...[layouts.join(', '), needs ? 'yes' : 'no', bytes === undefined ? '-' : formatBytes(bytes)],
  ])
}

function decoderText(recipe: Recipe | undefined): string {
  const { solver, smooth } = recipe ?? {}
  return [rulesText(recipe?.decoder), ...[solver ?? [], smooth ?? []].flat()].join('; ')
}

/** As a recipe has them: `lm_head q8b64, others q4b64`. */
function rulesText(rules: readonly Rule[] = [['*', 'f32']]): string {
  const [first = ['*', 'f32']] = rules
  if (rules.length === 1 && first[0] === '*') return first[1]
  return rules.map(([selector, format]) => `${selector === '*' ? 'others' : selector} ${format}`).join(', ')
}
