// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from 'vitest'
import { planFft } from '../../eval/runtime/fft.ts'
import { logMel, MEL_BINS } from '../../eval/runtime/mel.ts'

function noise(length: number): Float32Array {
  let seed = 7
  return Float32Array.from({ length }, () => {
    seed = (seed * 48271) % 2147483647
    return seed / 1073741823.5 - 1
  })
}

describe('planFft', () => {
  it.each([[[4]], [[5]], [[4, 5]], [[5, 4]], [[5, 5, 4, 4]], [[4, 4, 5, 5]]])(
    'agrees with the definition for %j',
    (radices) => {
      const fft = planFft(radices as (4 | 5)[])
      const [real, imaginary] = [
        Float64Array.from(noise(fft.length)),
        Float64Array.from(noise(2 * fft.length)).slice(fft.length),
      ]
      const wanted = Array.from({ length: fft.length }, (_, k) => {
        let [re, im] = [0, 0]
        for (let n = 0; n < fft.length; n++) {
          const angle = (-2 * Math.PI * k * n) / fft.length
          re += (real[n] ?? 0) * Math.cos(angle) - (imaginary[n] ?? 0) * Math.sin(angle)
          im += (real[n] ?? 0) * Math.sin(angle) + (imaginary[n] ?? 0) * Math.cos(angle)
        }
        return [re, im] as const
      })
      fft.transform(real, imaginary)
      const worst = Math.max(
        ...wanted.map(([re, im], k) => Math.hypot(re - (real[k] ?? 0), im - (imaginary[k] ?? 0))),
      )
      expect(worst).toBeLessThan(1e-11)
    },
  )
})

describe('logMel', () => {
  it.each([
    [1600, 50], // padded to 8000 samples
    [15999, 99],
    [16000, 100],
    [16001, 100],
    [16160, 101],
  ])('has floor(samples / 160) frames: %d samples, %d frames', (samples, frames) => {
    const mel = logMel(noise(samples))
    expect(mel.frames).toBe(frames)
    expect(mel.data.length).toBe(MEL_BINS * frames)
    expect(mel.data.every(Number.isFinite)).toBe(true)
  })

  it('puts a tone into the bin of its frequency and floors the rest 8 decades below the maximum', () => {
    const tone = Float32Array.from({ length: 16000 }, (_, i) => Math.sin((2 * Math.PI * 1000 * i) / 16000))
    const { data, frames } = logMel(tone)
    const column = Array.from({ length: MEL_BINS }, (_, bin) => data[bin * frames + 50] ?? 0)
    // 1 kHz is mel 15 of 45.245 (Slaney); bins are centred at multiples of 45.245 / 129.
    expect(column.indexOf(Math.max(...column))).toBe(Math.round(15 / (45.2453 / 129)) - 1)
    expect(Math.max(...data) - Math.min(...data)).toBeLessThanOrEqual(2 + 1e-6)
  })

  it('takes silence to one value', () => {
    const { data } = logMel(new Float32Array(8000))
    expect(new Set(data)).toEqual(new Set([-1.5]))
  })
})
