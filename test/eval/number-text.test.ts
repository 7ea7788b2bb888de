// SPDX-License-Identifier: Apache-2.0

import { expect, it } from 'vitest'
import { milliseconds, signed, signedMilliseconds } from '../../eval/report/number-text.ts'

it('no figure that rounds to nothing is negative', () => {
  expect([4.5501, -4.5501, -0.004, -0.005001, -0, 0].map((value) => signed(value))).toEqual([
    ...['+4.55', '-4.55', '+0.00', '-0.01', '+0.00', '+0.00'],
  ])
  expect([0.0455, -0.0455, -0.0004, -0.00051].map(signedMilliseconds)).toEqual([
    ...['+46 ms', '-46 ms', '+0 ms', '-1 ms'],
  ])
  expect(milliseconds(0.0324)).toBe('32 ms')
})
