// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from 'vitest'
import { tellInOrder } from '../../eval/runtime/tell-in-order.ts'

function record() {
  const told: string[] = []
  return { told, tell: tellInOrder((added) => told.push(added)) }
}

describe('text of pieces that are decoded together', () => {
  it('is emitted piece by piece, as it grows, joined as in the result', () => {
    const { told, tell } = record()
    tell(1, 'second', false)
    tell(0, 'The', false)
    tell(2, '第三', false)
    tell(0, 'The first', false)
    expect(told).toEqual(['The', ' first'])
    tell(0, 'The first.', true)
    tell(1, 'second 二', false)
    tell(2, '第三', true)
    expect(told.join('')).toBe('The first. second 二')
    tell(1, 'second 二', true)
    expect(told.join('')).toBe('The first. second 二第三')
  })

  it('continues behind a piece from which a loop was cut out after it was emitted', () => {
    const { told, tell } = record()
    tell(0, 'A', true)
    tell(1, 'yes yes yes', false)
    tell(1, 'yes', true)
    tell(2, 'no', false)
    tell(2, 'no more', true)
    expect(told.join('')).toBe('A yes yes yes no more')
  })

  it('passes over pieces without text, and says the same once', () => {
    const { told, tell } = record()
    tell(0, '', true)
    tell(1, 'one', false)
    tell(1, 'one', false)
    tell(1, 'one', true)
    tell(2, '', true)
    expect(told).toEqual(['one'])
  })
})
