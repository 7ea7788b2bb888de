// SPDX-License-Identifier: Apache-2.0

import { parseHTML } from 'linkedom'
import { describe, expect, it } from 'vitest'
import { drawable, type FidelityPoint, isDominated } from '../../eval/report/fidelity-plot.ts'
import { decades, powerOfTen, roundSizes } from '../../eval/report/log-axes.ts'
import { sizeAgainstFidelity } from '../../eval/report/size-against-fidelity.ts'

const VARIANTS: FidelityPoint[] = [
  { name: 'fp32', bytes: 3e9, kld: 7e-14, low: 3e-14, high: 9e-14, speed: 10, isTrial: false },
  { name: 'int4', bytes: 1e9, kld: 1e-3, low: 5e-4, high: 2e-3, speed: 40, isTrial: false },
  { name: 'trial', bytes: 1.1e9, kld: 2e-3, isTrial: true },
]

/** Every dot with a value, by the place of its point. */
function dots(points: readonly FidelityPoint[]) {
  const { document } = parseHTML(svgOf(points))
  const circles = [...document.querySelectorAll('circle[data-value]')]
  const at = (circle: (typeof circles)[number], name: string) => circle.getAttribute(name)
  return new Map(
    circles.map((circle) => [
      Number(at(circle, 'data-value')),
      {
        ...{ x: Number(at(circle, 'cx')), y: Number(at(circle, 'cy')), r: Number(at(circle, 'r')) },
        isHollow: at(circle, 'fill') === null,
        colour: at(circle, 'fill') ?? at(circle, 'stroke'),
      },
    ]),
  )
}

function svgOf(points: readonly FidelityPoint[]): string {
  return sizeAgainstFidelity(points, new Map())?.panels[0]?.svg ?? ''
}

function textsOf(points: readonly FidelityPoint[]): string[] {
  return [...parseHTML(svgOf(points)).document.querySelectorAll('text')].map(
    ({ textContent }) => textContent ?? '',
  )
}

describe('size against divergence', () => {
  it('beats what is larger and farther from FP32, and nothing that is as good in one of both', () => {
    const [fp32, int4, trial] = VARIANTS as [FidelityPoint, FidelityPoint, FidelityPoint]
    expect(VARIANTS.map((one) => isDominated(one, VARIANTS))).toEqual([false, false, true])
    expect(isDominated({ ...trial, bytes: int4.bytes }, VARIANTS)).toBe(false)
    expect(isDominated({ ...trial, kld: int4.kld }, VARIANTS)).toBe(false)
    expect(isDominated(fp32, [fp32])).toBe(false)
  })

  it('draws each where its size and divergence are, those of rounding alone at one height', () => {
    const same = { ...VARIANTS[0], name: 'fp16', bytes: 2e9, kld: 0, low: 0, high: 0 } as FidelityPoint
    const drawn = dots([...VARIANTS, same])
    const [fp32, int4, trial, fp16] = [0, 1, 2, 3].map((i) => drawn.get(i) ?? { x: 0, y: 0 })
    expect(fp16?.y).toBe(fp32?.y)
    // from 0.001 to 0.000001 are three decades, from 0.001 to 0.002 is log10(2) of one
    const decade = (Number(fp32?.y) - Number(int4?.y)) / 3
    expect((Number(int4?.y) - Number(trial?.y)) / decade).toBeCloseTo(Math.log10(2), 3)
    const [x = 0, y = 0, z = 0] = [int4?.x, fp16?.x, fp32?.x]
    expect((y - x) / (z - x)).toBeCloseTo(Math.log(2) / Math.log(3), 3)
    expect(textsOf(VARIANTS)).toContain('≤ 10⁻⁶')
    expect(textsOf(VARIANTS.slice(1))).not.toContain('≤ 10⁻⁶')
  })

  it('has dots whose area is the speed, hollow ones for trials, grey ones for what is beaten', () => {
    const drawn = dots(VARIANTS)
    const [fp32, int4, trial] = [drawn.get(0), drawn.get(1), drawn.get(2)]
    expect((int4?.r ?? 0) / (fp32?.r ?? 1)).toBe(2)
    expect(trial).toMatchObject({ r: 3, isHollow: true, colour: 'var(--faint)' })
    expect([fp32?.isHollow, int4?.isHollow, int4?.colour]).toEqual([false, false, 'var(--ink)'])
    expect(textsOf(VARIANTS)).toEqual(
      expect.arrayContaining([
        '40',
        '10 tokens/s',
        'speed not measured',
        'trial',
        'another one is smaller and closer',
      ]),
    )
  })

  it('has one size and no legend of speeds where none is known', () => {
    const plain = VARIANTS.slice(0, 2).map(({ speed: _, ...one }) => one)
    expect([...dots(plain).values()].map(({ r }) => r)).toEqual([5, 5])
    expect(textsOf(plain).join()).not.toMatch(/tokens|measured|trial|smaller/)
  })

  it('says in its table what beats a point, and leaves out what has no place', () => {
    const { values } = sizeAgainstFidelity(VARIANTS, new Map()) ?? {}
    expect(values?.rows.map((row) => row.map(({ text }) => text))).toEqual([
      ['fp32', '3.00 GB', '7.0e-14', '3.0e-14', '9.0e-14', '10', '-'],
      ['int4', '1.00 GB', '0.0010', '0.00050', '0.0020', '40', '-'],
      ['trial', '1.10 GB', '0.0020', '-', '-', '-', 'int4'],
    ])
    const broken = [Number.NaN, Number.POSITIVE_INFINITY, -1].map((kld) => ({ ...VARIANTS[1], kld }))
    expect(drawable([...broken, { ...VARIANTS[1], bytes: 0 }] as FidelityPoint[])).toEqual([])
    expect(sizeAgainstFidelity([], new Map())).toBeUndefined()
  })
})

it('axes have whole decades, and from three to six round sizes whatever the range', () => {
  expect(decades([2e-5, 0.02]).ticks).toEqual([1e-5, 1e-4, 1e-3, 1e-2, 0.1])
  expect(decades([1e-3]).ticks).toEqual([1e-3, 1e-2])
  expect([1e-6, 1e-10, 0.01, 0.1, 1, 10].map(powerOfTen)).toEqual(['10⁻⁶', '10⁻¹⁰', '10⁻²', '0.1', '1', '10'])
  for (const sizes of [[3.61, 5.68], [300, 3000], [1], [999, 1001], [2, 2000], [0.5, 90_000], [640, 655]]) {
    const { domain, ticks } = roundSizes(sizes)
    expect(ticks.length).toBeGreaterThanOrEqual(3)
    expect(ticks.length).toBeLessThanOrEqual(6)
    for (const size of [...sizes, ...ticks]) expect(domain[0] <= size && size <= domain[1]).toBe(true)
  }
})
