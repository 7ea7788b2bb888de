// SPDX-License-Identifier: Apache-2.0

import { expect, it } from 'vitest'
import { pointLabels } from '../../eval/report/plot.ts'

it('names of points on the axis stand beside and above them, not on its numbers', () => {
  const points = [
    { x: 5.7, y: 0, text: 'fp32@webgpu' },
    { x: 5.7, y: 0, text: 'fp32' },
    { x: 3.6, y: 0, text: 'int4' },
  ]
  const options = { height: 300, marginLeft: 44, marginBottom: 44, marginRight: 22, marginTop: 28 }
  const labels = pointLabels(points, { ...options, x: { domain: [0, 6] }, y: { domain: [0, 13] }, marks: [] })
  const shifts = labels.map((mark) => (mark as unknown as { readonly dy: number }).dy)
  expect(shifts).toHaveLength(3)
  expect(Math.max(...shifts)).toBe(0)
})
