// SPDX-License-Identifier: Apache-2.0

export interface WavOptions {
  readonly rate?: number
  readonly bits?: number
  readonly tag?: number
  readonly channels?: number
  readonly blockAlign?: number
  /** of the data chunk, as the header has it */
  readonly size?: number
  /** of the RIFF chunk */
  readonly riffSize?: number
  /** wValidBitsPerSample: makes the format extensible */
  readonly validBits?: number
  /** chunks before and behind the data */
  readonly before?: Buffer
  readonly behind?: Buffer
}

/** A RIFF chunk, with its padding. */
export function chunk(id: string, body: Buffer, size = body.length): Buffer {
  const head = Buffer.alloc(8)
  head.write(id, 'latin1')
  head.writeUInt32LE(size, 4)
  return Buffer.concat([head, body, Buffer.alloc(body.length % 2)])
}

/** A WAV file around the bytes of its samples. */
export function wavOf(data: Buffer, options: WavOptions = {}): Buffer {
  const { rate = 16000, bits = 16, tag = 1, channels = 1, validBits } = options
  const format = Buffer.alloc(validBits === undefined ? 16 : 40)
  format.writeUInt16LE(validBits === undefined ? tag : 0xfffe, 0)
  format.writeUInt16LE(channels, 2)
  format.writeUInt32LE(rate, 4)
  format.writeUInt16LE(options.blockAlign ?? Math.ceil(bits / 8) * channels, 12)
  format.writeUInt16LE(bits, 14)
  if (validBits !== undefined) {
    format.writeUInt16LE(validBits, 18)
    format.writeUInt16LE(tag, 24)
  }
  const body = Buffer.concat([
    Buffer.from('WAVE'),
    chunk('fmt ', format),
    options.before ?? Buffer.alloc(0),
    chunk('data', data, options.size),
    options.behind ?? Buffer.alloc(0),
  ])
  return chunk('RIFF', body, options.riffSize)
}

/** Samples of -1 to 1 as little-endian integers of 1 to 4 bytes. */
export function integers(samples: readonly number[], width: number): Buffer {
  const bytes = Buffer.alloc(samples.length * width)
  samples.forEach((sample, i) => {
    bytes.writeIntLE(Math.round(sample * 2 ** (8 * width - 1)), i * width, width)
  })
  return bytes
}

/** Samples as 32-bit floats. */
export function floats(samples: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * samples.length)
  for (const [i, sample] of samples.entries()) bytes.writeFloatLE(sample, 4 * i)
  return bytes
}
