// SPDX-License-Identifier: Apache-2.0

import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import * as v from 'valibot'
import { RECIPE, RECIPE_KEYS, type Recipe } from '../recipe-schema.ts'
import { checked, checkedText } from '../shared/checked.ts'
import { EXIT, Failure } from '../shared/failure.ts'
import { VARIANTS } from '../variants.ts'

/** A recipe that is not in the table of variants. */
export interface TrialRecipe {
  /** that of the file without `.json` */
  readonly name: string
  readonly file: string
  readonly recipe: Recipe
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9-]{0,63}$/
const HINT = 'docs/quantizing.md describes the keys of a recipe.'

/**
 * Read the recipe of a trial.
 * @throws Failure naming the file and what is wrong in it; also when it is a row of the table already
 */
export async function readTrialRecipe(file: string): Promise<TrialRecipe> {
  const name = basename(file).replace(/\.json$/i, '')
  const wrong = (message: string, hint = HINT) => new Failure(`${file}: ${message}`, hint, EXIT.usage)
  if (!/\.json$/i.test(file) || !NAME.test(name)) {
    throw wrong(
      `the name of a recipe's file is ${JSON.stringify(basename(file))}, wanted 1 to 64 letters, digits and dashes, then .json.`,
      'The trial is named after its file.',
    )
  }
  const [taken] = Object.keys(VARIANTS).filter((variant) => variant === name.toLowerCase())
  if (taken !== undefined)
    throw wrong(`${taken} is the name of a variant, wanted another name.`, 'Rename the file.')
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw wrong(
      error.code === 'ENOENT' ? 'the file does not exist.' : `it cannot be read: ${error.code}.`,
      'Give the path of a JSON file.',
    )
  })
  const found = checkedText(v.looseObject({}), text, { file, hint: HINT })
  const unknown = Object.keys(found).find((key) => !RECIPE_KEYS.includes(key))
  if (unknown !== undefined)
    throw wrong(`the key ${JSON.stringify(unknown)} is unknown, wanted ${RECIPE_KEYS.join(', ')}.`)
  const recipe = checked(RECIPE, found, { file, hint: HINT })
  const same = sameVariant(recipe)
  if (same === undefined) return { name, file, recipe }
  throw wrong(
    `this is the recipe of the variant ${same}, wanted one that is not in the table.`,
    `npm run pipeline -- --variants fp32,${same} makes it, and compare shows it.`,
  )
}

/**
 * Read the recipes of several trials, before any is made.
 * @throws Failure as {@link readTrialRecipe}, and when two files have one name
 */
export async function readTrialRecipes(files: readonly string[]): Promise<TrialRecipe[]> {
  const trials: TrialRecipe[] = []
  for (const file of files) {
    const trial = await readTrialRecipe(file)
    const other = trials.find(({ name }) => name.toLowerCase() === trial.name.toLowerCase())
    if (other)
      throw new Failure(
        `${other.file} and ${file} are both named ${trial.name}, wanted two names.`,
        'Rename one of them.',
        EXIT.usage,
      )
    trials.push(trial)
  }
  return trials
}

/**
 * Trials with other strengths of smoothing: each recipe with each of them, named NAME-aALPHA with a dash for the point.
 * @param alphas separated by commas; the recipes as they are when it is left out
 * @throws Failure for what is not a number from 0 to 1, and for a recipe that does not smooth
 */
export function withAlphas(
  trials: readonly TrialRecipe[],
  alphas: string | undefined,
): readonly TrialRecipe[] {
  if (alphas === undefined) return trials
  const strengths = [...new Set(alphas.split(',').map((word) => word.trim()))]
  for (const word of strengths)
    if (!/^(0|1|0\.\d{1,3})$/.test(word))
      throw new Failure(
        `--alpha has ${JSON.stringify(word)}, wanted numbers from 0 to 1, separated by commas.`,
        'Such as --alpha 0.1,0.2,0.5.',
        EXIT.usage,
      )
  return trials.flatMap(({ name, file, recipe }) => {
    const [kind] = recipe.smooth?.split(':') ?? []
    if (kind === undefined)
      throw new Failure(
        `${file} has no smooth, which --alpha is the strength of.`,
        'Add "smooth": "smoothquant:0.5" or "awq:0.5" to the recipe.',
        EXIT.usage,
      )
    return strengths.map((alpha) => {
      const own = { ...recipe, smooth: `${kind}:${alpha}` }
      return { name: `${name}-a${alpha.replace('.', '-')}`, file, recipe: own }
    })
  })
}

/** The variant with this recipe. */
function sameVariant(recipe: Recipe): string | undefined {
  const wanted = spelled(recipe)
  return Object.entries(VARIANTS).find(([, row]) => row.recipe && spelled(row.recipe) === wanted)?.[0]
}

/** One spelling for all recipes that say the same. */
export function spelled(recipe: Recipe): string {
  const {
    decoder,
    encoder,
    encoderFallback,
    encoderSmooth,
    solver = 'rtn',
    smooth,
    embeddings,
    prompts,
  } = recipe
  return JSON.stringify({
    decoder,
    encoder,
    encoderFallback,
    encoderSmooth,
    solver,
    smooth,
    embeddings,
    prompts,
  })
}
