// SPDX-License-Identifier: Apache-2.0

import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readProvenance } from '../../pipeline/release/provenance.ts'
import { recipeOf, VARIANT_NAMES } from '../../pipeline/variants.ts'
import { temporaryFolder } from '../helpers/folder.ts'

const OPTIONS = { opset: 21, accuracyLevel: 4, symmetric: false, prefillInt8: true }
const RECIPES = VARIANT_NAMES.flatMap((name) => {
  const recipe = recipeOf(name, OPTIONS)
  return recipe ? [[name, recipe] as const] : []
})
const PROVENANCE = {
  ...{ model: 'me/tiny', flag: 'tiny', license: 'apache-2.0', languages: ['en'] },
  checkpoint: [{ file: 'model.safetensors', sha256: 'ab' }],
  options: OPTIONS,
  recipes: Object.fromEntries(RECIPES),
  ...{ providers: ['cpu'], tools: { torch: '2' } },
}

describe('provenance.json', () => {
  it('is read back with every recipe, with and without a commit', async () => {
    const work = await temporaryFolder()
    expect(await readProvenance({ work })).toBeUndefined()
    expect(RECIPES.length).toBeGreaterThan(0)
    for (const found of [PROVENANCE, { ...PROVENANCE, revision: 'abc' }]) {
      await writeFile(join(work, 'provenance.json'), JSON.stringify(found))
      expect(await readProvenance({ work })).toEqual(found)
    }
  })

  it.each<[string, unknown, string]>([
    ['a list', [], ' holds [], wanted an object.'],
    [
      'that of an older version',
      { ...PROVENANCE, providers: undefined },
      ': providers is missing, wanted an array.',
    ],
    [
      'a hash that is missing',
      { ...PROVENANCE, checkpoint: [{ file: 'a' }] },
      ': checkpoint.0.sha256 is missing, wanted a string.',
    ],
    [
      'an option that is text',
      { ...PROVENANCE, options: { ...OPTIONS, prefillInt8: 'yes' } },
      ': options.prefillInt8 is "yes", wanted true or false.',
    ],
    [
      'a rule that is one text',
      { ...PROVENANCE, recipes: { int4: { decoder: ['*'] } } },
      ': recipes.int4.decoder.0 is "*", wanted a selector and a format.',
    ],
  ])('is refused when it is %s', async (_, content, message) => {
    const work = join(await temporaryFolder(), '.work')
    await mkdir(work)
    const path = join(work, 'provenance.json')
    await writeFile(path, JSON.stringify(content))
    await expect(readProvenance({ work })).rejects.toMatchObject({
      message: path + message,
      hint: 'Run the pipeline again: npm run pipeline -- --model MODEL --until evaluate',
    })
  })
})
