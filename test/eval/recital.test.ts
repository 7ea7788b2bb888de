// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from 'vitest'
import { isRecital, mayRecite } from '../../eval/runtime/recital.ts'

const NAMES = 'Anna, Berta, Caesar, Dora; Emil'

describe('a recital of the context', () => {
  it.each([
    ['Anna Berta Caesar.', true],
    ['anna, berta, caesar, dora, emil', true],
    ['So: Berta, Caesar, Dora.', true],
    ['Anna Berta', false],
    ['Anna and Berta and Caesar.', false],
    ['Caesar, Berta, Anna.', false],
    ['I told Anna, Berta, Caesar that we would be late today.', false],
    ['', false],
    ['...', false],
  ])('%s', (text, wanted) => {
    expect(isRecital(text, NAMES)).toBe(wanted)
  })

  it('is found in writing without spaces', () => {
    expect(
      isRecital('\u5f20\u4f1f\u674e\u5a1c\u738b\u82b3', '\u5f20\u4f1f\uff0c\u674e\u5a1c\uff0c\u738b\u82b3'),
    ).toBe(true)
  })

  it('is none of an empty context', () => {
    expect(isRecital('Anna Berta Caesar', '')).toBe(false)
  })
})

describe('what may become a recital', () => {
  it.each([
    ['', true],
    ['Ann', true],
    ['Anna, Ber', true],
    ['Hello Ber', false],
    ['Anna and', true],
    ['Anna and Berta', false],
  ])('%s', (text, wanted) => {
    expect(mayRecite(text, NAMES)).toBe(wanted)
  })
})
