// SPDX-License-Identifier: Apache-2.0

/**
 * Mono samples as a WAV file of 32-bit floats (format tag 3): nothing is rounded.
 * @see https://www.mmsp.ece.mcgill.ca/Documents/AudioFormats/WAVE/WAVE.html
 */
export function encodeFloatWav(samples: Float32Array, sampleRate: number): Uint8Array {
  const out = Buffer.alloc(58 + 4 * samples.length)
  out.write('RIFF', 0, 'latin1')
  out.writeUInt32LE(out.length - 8, 4)
  out.write('WAVEfmt ', 8, 'latin1')
  out.writeUInt32LE(18, 16)
  out.writeUInt16LE(3, 20)
  out.writeUInt16LE(1, 22)
  out.writeUInt32LE(sampleRate, 24)
  out.writeUInt32LE(4 * sampleRate, 28)
  out.writeUInt16LE(4, 32)
  out.writeUInt16LE(32, 34)
  out.writeUInt16LE(0, 36)
  out.write('fact', 38, 'latin1')
  out.writeUInt32LE(4, 42)
  out.writeUInt32LE(samples.length, 46)
  out.write('data', 50, 'latin1')
  out.writeUInt32LE(4 * samples.length, 54)
  samples.forEach((sample, i) => {
    out.writeFloatLE(sample, 58 + 4 * i)
  })
  return out
}
