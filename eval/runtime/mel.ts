// SPDX-License-Identifier: Apache-2.0

import { planFft } from './fft.ts'

const FFT_LENGTH = 400
const HOP = 160
const BINS = FFT_LENGTH / 2 + 1
/** Mel bands of a frame: the first size of the encoder's input [128, T]. */
export const MEL_BINS = 128
const SAMPLE_RATE = 16000
/** Shorter clips are padded with zeros to this many samples. */
const MINIMUM_SAMPLES = 8000
// Slaney's scale is linear below 1 kHz and logarithmic above.
const BREAK_HERTZ = 1000
const BREAK_MEL = 15
const LOG_STEP = Math.log(6.4) / 27

/** Log-mel features, row-major [128, frames] as the encoder's `mel` input [1, 128, T] takes them. */
export interface Mel {
  readonly data: Float32Array
  readonly frames: number
}

const fft = planFft([5, 5, 4, 4])
// The reference's window and filters are float32.
const window = Float32Array.from(
  { length: FFT_LENGTH },
  (_, n) => 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / FFT_LENGTH),
)
const filters = slaneyFilters()

/**
 * Log-mel features as `Qwen3ASRFeatureExtractor` (transformers 5.18) computes them for one clip. Periodic Hann
 * window, centred STFT with reflected ends, last frame dropped, power, 128 Slaney mel bins of 0 to 8 kHz, log10
 * clamped at 1e-10, floored at the clip's maximum minus 8, then (x + 4) / 4.
 * @param samples 16 kHz mono
 */
export function logMel(samples: Float32Array): Mel {
  const padded = reflectPadded(samples)
  const frames = Math.floor((padded.length - FFT_LENGTH) / HOP)
  const data = new Float32Array(MEL_BINS * frames)
  const real = new Float64Array(FFT_LENGTH)
  const imaginary = new Float64Array(FFT_LENGTH)
  for (let frame = 0; frame < frames; frame += 2) {
    loadFrame(padded, frame, real)
    loadFrame(padded, frame + 1, imaginary) // two real frames in one complex transform
    fft.transform(real, imaginary)
    const { first, second } = splitPower(real, imaginary)
    melColumn(first, data, frame, frames)
    if (frame + 1 < frames) melColumn(second, data, frame + 1, frames)
  }
  return { data: compress(data), frames }
}

function reflectPadded(samples: Float32Array): Float64Array {
  const length = Math.max(samples.length, MINIMUM_SAMPLES)
  const half = FFT_LENGTH / 2
  const at = (i: number) => samples[i] ?? 0
  const out = new Float64Array(length + FFT_LENGTH)
  out.set(samples, half)
  for (let i = 1; i <= half; i++) {
    out[half - i] = at(i)
    out[half + length - 1 + i] = at(length - 1 - i)
  }
  return out
}

function loadFrame(padded: Float64Array, frame: number, out: Float64Array): void {
  const start = frame * HOP
  for (let n = 0; n < FFT_LENGTH; n++) out[n] = (padded[start + n] ?? 0) * (window[n] as number)
}

const power = { first: new Float64Array(BINS), second: new Float64Array(BINS) }

/** Separate the spectra of the two real signals a + ib by their symmetry and square them. */
function splitPower(real: Float64Array, imaginary: Float64Array): typeof power {
  for (let k = 0; k < BINS; k++) {
    const mirror = (FFT_LENGTH - k) % FFT_LENGTH
    const x = real[k] as number
    const y = imaginary[k] as number
    const mx = real[mirror] as number
    const my = imaginary[mirror] as number
    power.first[k] = ((x + mx) ** 2 + (y - my) ** 2) / 4
    power.second[k] = ((y + my) ** 2 + (x - mx) ** 2) / 4
  }
  return power
}

function melColumn(spectrum: Float64Array, out: Float32Array, frame: number, frames: number): void {
  for (let bin = 0; bin < MEL_BINS; bin++) {
    const filter = filters[bin] as Filter
    let sum = 0
    for (let i = 0; i < filter.weights.length; i++) {
      sum += (filter.weights[i] as number) * (spectrum[filter.start + i] as number)
    }
    out[bin * frames + frame] = Math.log10(Math.max(sum, 1e-10))
  }
}

function compress(data: Float32Array): Float32Array {
  let maximum = Number.NEGATIVE_INFINITY
  for (const value of data) if (value > maximum) maximum = value
  const floor = maximum - 8
  for (let i = 0; i < data.length; i++) data[i] = (Math.max(data[i] as number, floor) + 4) / 4
  return data
}

interface Filter {
  readonly start: number
  readonly weights: Float32Array
}

/** Triangles equally spaced on Slaney's mel scale, each of area 2 / width (librosa.filters.mel, norm="slaney"). */
function slaneyFilters(): Filter[] {
  const top = hertzToMel(SAMPLE_RATE / 2)
  const edges = Array.from({ length: MEL_BINS + 2 }, (_, i) => melToHertz((top * i) / (MEL_BINS + 1)))
  const binHertz = SAMPLE_RATE / FFT_LENGTH
  return Array.from({ length: MEL_BINS }, (_, bin) => {
    const [low, centre, high] = [edges[bin], edges[bin + 1], edges[bin + 2]] as [number, number, number]
    const all = Array.from({ length: BINS }, (_, k) => {
      const hertz = k * binHertz
      const height = Math.min((hertz - low) / (centre - low), (high - hertz) / (high - centre))
      return (Math.max(0, height) * 2) / (high - low)
    })
    const start = Math.max(
      0,
      all.findIndex((weight) => weight > 0),
    )
    const end = all.findLastIndex((weight) => weight > 0) + 1
    return { start, weights: Float32Array.from(all.slice(start, end)) }
  })
}

function hertzToMel(hertz: number): number {
  return hertz < BREAK_HERTZ ? (3 * hertz) / 200 : BREAK_MEL + Math.log(hertz / BREAK_HERTZ) / LOG_STEP
}

function melToHertz(mel: number): number {
  return mel < BREAK_MEL ? (200 * mel) / 3 : BREAK_HERTZ * Math.exp(LOG_STEP * (mel - BREAK_MEL))
}
