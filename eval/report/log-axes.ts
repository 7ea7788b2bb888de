// SPDX-License-Identifier: Apache-2.0

/* Logarithmic axes with ticks that people read: Plot's own crowd within one decade. */

interface Axis {
  readonly domain: [number, number]
  readonly ticks: number[]
}

/** Whole decades, with room for dots at either end. */
export function decades(all: readonly number[]): Axis {
  const least = Math.floor(Math.log10(Math.min(...all)) + 1e-9)
  const most = Math.max(least + 1, Math.ceil(Math.log10(Math.max(...all)) - 1e-9))
  const ticks = Array.from({ length: most - least + 1 }, (_, i) => Number(`1e${least + i}`))
  return { domain: [10 ** (least - 0.35), 10 ** (most + 0.2)], ticks }
}

const SUPERSCRIPTS = '⁰¹²³⁴⁵⁶⁷⁸⁹'

/** The power of ten nearest to a value, as a tick shows it: 100, 0.1, 10⁻². */
export function powerOfTen(value: number): string {
  const exponent = Math.round(Math.log10(value))
  if (exponent >= -1) return String(Number(`1e${exponent}`))
  const digits = [...String(-exponent)].map((digit) => SUPERSCRIPTS[Number(digit)]).join('')
  return `10⁻${digits}`
}

/** Round numbers, from three to six of them. */
export function roundSizes(sizes: readonly number[]): Axis {
  const [least, most] = [Math.min(...sizes), Math.max(...sizes)]
  const room = Math.max(1.12, (most / least) ** 0.12)
  const domain: [number, number] = [least / room, most * room]
  const [first = 0, last = 0] = domain.map((end) => Math.floor(Math.log10(end)))
  const ticksOf = (digits: readonly number[]) =>
    Array.from({ length: last - first + 1 }, (_, i) => digits.map((digit) => Number(`${digit}e${first + i}`)))
      .flat()
      .filter((size) => domain[0] <= size && size <= domain[1])
  const found = STEPS.map(ticksOf).find(({ length }) => length >= 3) ?? []
  const every = Math.ceil(found.length / 6)
  return { domain, ticks: found.filter((_, i) => i % every === 0) }
}

/** Digits of ticks in a decade, few ones first. */
const STEPS = [
  [1],
  [1, 3],
  [1, 2, 5],
  [1, 1.5, 2, 3, 5, 7],
  [1, 1.2, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 9],
  Array.from({ length: 90 }, (_, i) => (i + 10) / 10),
]
