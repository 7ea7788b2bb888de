// SPDX-License-Identifier: Apache-2.0

import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readTrialRecipe, readTrialRecipes, withAlphas } from '../../pipeline/lab/trial-recipe.ts'
import { VARIANTS } from '../../pipeline/variants.ts'
import { temporaryFolder } from '../helpers/folder.ts'

const HINT = 'docs/quantizing.md describes the keys of a recipe.'

async function recipeFile(content: unknown, name = 'mine.json'): Promise<string> {
  const file = join(await temporaryFolder(), name)
  await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content))
  return file
}

const refusal = (file: string) =>
  readTrialRecipe(file).then(
    () => undefined,
    ({ message, hint }) => ({ message, hint }),
  )

describe("a trial's recipe", () => {
  it('is named after its file', async () => {
    const recipe = {
      decoder: [
        ['layers.0.*', 'f32'],
        ['*', 'q4b32s'],
      ],
      smooth: 'awq:0.2',
    }
    const file = await recipeFile(recipe, 'Outer-2.json')
    expect(await readTrialRecipe(file)).toEqual({ name: 'Outer-2', file, recipe })
  })

  it.each([
    ['{"decoder": [', / is not valid JSON/],
    [{}, /decoder is missing|decoder/],
    [{ decoder: 'q4b64' }, /decoder is "q4b64", wanted an array/],
    [{ decoder: [['*']] }, /decoder\.0/],
    [{ decoder: [['*', 4]] }, /decoder\.0\.1 is 4, wanted a string/],
    [{ decoder: [['*', 'q4b64']], solver: 'hqq' }, /solver is "hqq", wanted "rtn" or "k_quant" or "gptq"/],
    [
      { decoder: [['*', 'q4b64']], smooth: 'awq:1.5' },
      /smooth is "awq:1.5", wanted "smoothquant:A" or "awq:A", A from 0 to 1/,
    ],
    [
      { decoder: [['*', 'q4b64']], bits: 4 },
      /the key "bits" is unknown, wanted decoder, encoder, encoderFallback, encoderSmooth, solver, smooth, embeddings, prompts\.$/,
    ],
  ])('%j is refused by file, key, found and wanted', async (content, wanted) => {
    const file = await recipeFile(content)
    const found = await refusal(file)
    expect(found?.message).toMatch(wanted)
    expect(found?.message).toContain(file)
    expect(found?.hint).toBe(HINT)
  })

  it.each(['my trial.json', 'mine.yaml', '-x.json', `${'x'.repeat(65)}.json`])(
    'is refused by the name %s',
    async (name) => {
      const file = await recipeFile({ decoder: [['*', 'q4b32']] }, name)
      expect(await refusal(file)).toEqual({
        message: `${file}: the name of a recipe's file is "${name}", wanted 1 to 64 letters, digits and dashes, then .json.`,
        hint: 'The trial is named after its file.',
      })
    },
  )

  it('is refused by a name of the table, in any case', async () => {
    const file = await recipeFile({ decoder: [['*', 'q4b32']] }, 'Int4.json')
    expect(await refusal(file)).toEqual({
      message: `${file}: int4 is the name of a variant, wanted another name.`,
      hint: 'Rename the file.',
    })
  })

  it.each(
    Object.entries(VARIANTS).flatMap(([name, { recipe }]) => (recipe ? [[name, recipe] as const] : [])),
  )('is refused when it is that of %s, however it is written', async (name, recipe) => {
    const reversed = Object.fromEntries(Object.entries(recipe).reverse())
    const file = await recipeFile({ solver: 'rtn', ...reversed })
    expect(await refusal(file)).toEqual({
      message: `${file}: this is the recipe of the variant ${name}, wanted one that is not in the table.`,
      hint: `npm run pipeline -- --variants fp32,${name} makes it, and compare shows it.`,
    })
  })

  it('is refused when there is no file, or a folder', async () => {
    const folder = await temporaryFolder()
    const missing = join(folder, 'none.json')
    expect((await refusal(missing))?.message).toBe(`${missing}: the file does not exist.`)
    const other = join(folder, 'other.json')
    await mkdir(other)
    expect((await refusal(other))?.message).toBe(`${other}: it cannot be read: EISDIR.`)
  })

  it('is refused beside another one of the same name', async () => {
    const [one, other] = [
      await recipeFile({ decoder: [['*', 'q2b32']] }),
      await recipeFile({ decoder: [['*', 'q4b32']] }),
    ]
    await expect(readTrialRecipes([one, other])).rejects.toThrow(
      `${one} and ${other} are both named mine, wanted two names.`,
    )
  })
})

describe('--alpha', () => {
  it('tries each recipe with each strength, under names of its own', async () => {
    const trials = await readTrialRecipes([
      await recipeFile({ decoder: [['*', 'i8']], smooth: 'awq:0.5' }, 'older.json'),
    ])
    expect(withAlphas(trials, undefined)).toEqual(trials)
    const found = withAlphas(trials, '0.1, 0.25,1').map(({ name, recipe }) => [name, recipe.smooth])
    expect(found).toEqual([
      ['older-a0-1', 'awq:0.1'],
      ['older-a0-25', 'awq:0.25'],
      ['older-a1', 'awq:1'],
    ])
  })

  it('is refused when it is not a number from 0 to 1, and for a recipe that does not smooth', async () => {
    const smooth = await readTrialRecipes([
      await recipeFile({ decoder: [['*', 'i8']], smooth: 'awq:0.5' }, 'older.json'),
    ])
    for (const word of ['', 'x', '1.5', '-0.1', '0.1,,0.2'])
      expect(() => withAlphas(smooth, word), word).toThrow(/^--alpha has ".*", wanted numbers from 0 to 1/)
    const plain = await readTrialRecipes([await recipeFile({ decoder: [['*', 'q4b32']] }, 'plain.json')])
    expect(() => withAlphas(plain, '0.5')).toThrow(
      /plain\.json has no smooth, which --alpha is the strength of\.$/,
    )
  })
})
