// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from 'vitest'
import { fixTimes } from '../../eval/runtime/aligner/fix-times.ts'

describe('times that do not decrease', () => {
  it.each<[string, number[], number[]]>([
    ['none', [], []],
    ['one', [80], [80]],
    ['right ones stay', [0, 80, 80, 160], [0, 80, 80, 160]],
    ['one outlier takes the left of two neighbours', [80, 160, 0, 400], [80, 160, 160, 400]],
    [
      'of two outliers each takes the nearer neighbour',
      [0, 80, 800, 0, 400, 480],
      [0, 80, 80, 400, 400, 480],
    ],
    ['the first takes the right one', [500, 80, 160], [80, 80, 160]],
    ['the last takes the left one', [80, 160, 240, 0], [80, 160, 240, 240]],
    [
      'three and more are laid evenly',
      [80, 160, 240, 320, 0, 0, 0, 800, 880, 960, 1040],
      [80, 160, 240, 320, 440, 560, 680, 800, 880, 960, 1040],
    ],
    [
      'and cut to whole milliseconds',
      [0, 80, 900, 910, 920, 930, 160, 240, 320, 400, 480],
      [0, 80, 96, 112, 128, 144, 160, 240, 320, 400, 480],
    ],
    ['three at the front', [900, 910, 905, 0, 80, 160, 240], [0, 0, 0, 0, 80, 160, 240]],
    ['of two as long the one that ends first', [160, 80], [160, 160]],
    ['with the earliest predecessors', [80, 0, 160], [80, 80, 160]],
  ])('%s', (_, times, wanted) => {
    expect(fixTimes(times)).toEqual(wanted)
  })
})
