// SPDX-License-Identifier: Apache-2.0

import { expect, it } from 'vitest'
import { steadyRows } from '../../eval/runtime/steady-rows.ts'
import { recipeTag } from '../../pipeline/recipes.ts'
import { VARIANTS } from '../../pipeline/variants.ts'

it('variants with 8-bit weights alone may step one row', () => {
  const rows = Object.entries(VARIANTS).map(([name, { recipe }]) => [
    name,
    steadyRows(recipe ? recipeTag(recipe, 4) : 'float32'),
  ])
  expect(rows.filter(([, count]) => count === 1).map(([name]) => name)).toEqual(['q8', 'int8'])
  for (const tag of [undefined, '', 'smoothed (awq:0.5)', 'float16']) expect(steadyRows(tag), tag).toBe(2)
  expect(steadyRows('lm_head: int8 MatMulNBits; int4 MatMulNBits')).toBe(2)
})
