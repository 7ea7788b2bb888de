// SPDX-License-Identifier: Apache-2.0

/* ITU-T G.711 (11/88): eight bits a sample, a sign, three bits of segment, four of step. Values at 16 bits. */

/** Table 2a: A-law, even bits inverted; 13 bits. */
export const A_LAW = table((code) => {
  const value = code ^ 0x55
  const segment = (value >> 4) & 7
  const step = ((value & 15) << 4) + 8
  const size = segment === 0 ? step : (step + 0x100) << (segment - 1)
  return value & 0x80 ? size : 0 - size
})

/** Table 1a: mu-law, all bits inverted; 14 bits. */
export const MU_LAW = table((code) => {
  const value = code ^ 0xff
  const size = ((((value & 15) << 3) + 0x84) << ((value >> 4) & 7)) - 0x84
  return value & 0x80 ? 0 - size : size
})

function table(decode: (code: number) => number): Float32Array {
  return Float32Array.from({ length: 256 }, (_, code) => decode(code) / 32768)
}
