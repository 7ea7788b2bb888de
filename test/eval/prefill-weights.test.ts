// SPDX-License-Identifier: Apache-2.0

import { truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../eval/random.ts'
import { readPrefillWeights } from '../../eval/runtime/prefill-weights.ts'
import { widen } from '../../eval/runtime/widen.ts'
import { temporaryFolder } from '../helpers/folder.ts'

function randomMatrix(K: number, N: number, block: number, seed: number, bits: 4 | 8 = 4) {
  const random = seededRandom(seed)
  const blocks = K / block
  const byte = () => Math.floor(random() * 256)
  return {
    ...{ K, N, bits, block },
    packed: Uint8Array.from({ length: (N * K * bits) / 8 }, byte),
    scales: Float32Array.from(
      { length: N * blocks },
      () => (0.001 + random() / 100) * (random() < 0.3 ? -1 : 1),
    ),
    zeros: Uint8Array.from({ length: N * Math.ceil((blocks * bits) / 8) }, byte),
  }
}

/** Weight [k, n] as onnxruntime's docs/ContribOperators.md describes MatMulNBits. */
function weightAt(
  { K, bits, block, packed, scales, zeros }: ReturnType<typeof randomMatrix>,
  k: number,
  n: number,
) {
  const nibble = (bytes: Uint8Array, i: number) => ((bytes[i >> 1] ?? 0) >> (4 * (i & 1))) & 15
  const [blocks, at] = [K / block, Math.floor(k / block)]
  if (bits === 8)
    return ((packed[n * K + k] ?? 0) - (zeros[n * blocks + at] ?? 0)) * (scales[n * blocks + at] ?? 0)
  const zero = nibble(zeros.subarray(n * Math.ceil(blocks / 2)), at)
  return (nibble(packed, n * K + k) - zero) * (scales[n * blocks + at] ?? 0)
}

describe('weights of the prefill graph', () => {
  it.each([
    [64, 4, 64, 4],
    [128, 68, 32, 4],
    [96, 128, 32, 4],
    [96, 8, 16, 4],
    [1024, 200, 128, 4],
    [64, 4, 64, 8],
    [96, 68, 16, 8],
    [512, 132, 256, 8],
  ] as const)(
    'are those of the steps to half a level, none above 64: [%i, %i] in blocks of %i, %i bits',
    (K, N, block, bits) => {
      const matrix = randomMatrix(K, N, block, K, bits)
      const { levels, columns } = widen(matrix)
      let worst = 0
      for (let n = 0; n < N; n++) {
        for (let k = 0; k < K; k++) {
          const found = (levels[k * N + n] ?? 0) * (columns[n] ?? 0)
          worst = Math.max(worst, Math.abs(found - weightAt(matrix, k, n)) / (columns[n] ?? 0))
        }
      }
      expect(worst).toBeLessThan(0.5001)
      expect(worst).toBeGreaterThan(0.3)
      expect(levels.every((level) => Math.abs(level) <= 64)).toBe(true)
    },
  )

  it('a column of zeros stays zeros', () => {
    const matrix = randomMatrix(64, 4, 64, 1)
    matrix.scales.fill(0)
    const { levels, columns } = widen(matrix)
    expect(levels.every((level) => level === 0)).toBe(true)
    expect(columns.every((column) => column === 0)).toBe(true)
  })

  it('are read where the recipe says, from the file or from the recipe, with zero points or without', async () => {
    const folder = await temporaryFolder()
    const matrix = randomMatrix(64, 8, 32, 5)
    const scales = Buffer.from(matrix.scales.buffer)
    await writeFile(join(folder, 'w.data'), Buffer.concat([Buffer.alloc(16), matrix.packed, scales]))
    const weight = { name: 'a', K: 64, N: 8, packed: 16, scales: 16 + matrix.packed.length }
    const zeros = Buffer.from(matrix.zeros).toString('base64')
    const recipe = { data: 'w.data', block_size: 32, weights: [{ ...weight, zero_points: zeros }, weight] }
    await writeFile(join(folder, 'r.json'), JSON.stringify(recipe))
    const [withZeros, without] = await readPrefillWeights(folder, 'r.json')
    expect(withZeros).toMatchObject(widen(matrix))
    expect(without).toMatchObject(widen({ ...matrix, zeros: matrix.zeros.map(() => 0x88) }))

    await truncate(join(folder, 'w.data'), 100)
    await expect(readPrefillWeights(folder, 'r.json')).rejects.toThrow(
      /w.data ends at byte 100, wanted 272\./,
    )
    await writeFile(join(folder, 'r.json'), JSON.stringify({ ...recipe, data: 'gone.data' }))
    await expect(readPrefillWeights(folder, 'r.json')).rejects.toThrow(/gone.data cannot be read: ENOENT/)

    const key = (at: string) => `${join(folder, 'r.json')}: ${at}`
    for (const [wrong, message] of [
      [
        { ...recipe, weights: { 0: weight } },
        key('weights is {"0":{"name":"a","K":64,"N":8,"packed":16,"scales":272}}, wanted an array.'),
      ],
      [{ ...recipe, data: '../w.data' }, key('data is "../w.data", wanted the name of a file beside it.')],
      [{ ...recipe, block_size: 0 }, key('block_size is 0, wanted a whole number from 1 to 1048576.')],
      [
        { ...recipe, weights: [{ ...weight, K: '64' }] },
        key('weights.0.K is "64", wanted a whole number from'),
      ],
      [
        { ...recipe, weights: [{ name: 'a', K: 64, N: 8 }] },
        key('weights.0.packed is missing, wanted an offset'),
      ],
      [
        { ...recipe, weights: [{ ...weight, K: 1 << 20, N: 1 << 20 }] },
        'w.data ends at byte 100, wanted 549755813904.',
      ],
      [
        { ...recipe, weights: [{ ...weight, packed: 'AAAA' }] },
        'The recipe of a has 3 bytes in base64, wanted 256.',
      ],
    ] as const) {
      await writeFile(join(folder, 'r.json'), JSON.stringify(wrong))
      await expect(readPrefillWeights(folder, 'r.json')).rejects.toThrow(message)
    }
  })

  it('have bits and blocks of their own where the recipe says so', async () => {
    const folder = await temporaryFolder()
    const [narrow, wide] = [randomMatrix(64, 8, 32, 5), randomMatrix(128, 4, 64, 6, 8)]
    const parts = [narrow, wide].flatMap(({ packed, scales, zeros }) => [packed, scales, zeros])
    const bytes = parts.map((part) => Buffer.from(part.buffer))
    await writeFile(join(folder, 'w.data'), Buffer.concat(bytes))
    const at = (i: number) => bytes.slice(0, i).reduce((sum, { length }) => sum + length, 0)
    const first = { name: 'a', K: 64, N: 8, packed: at(0), scales: at(1), zero_points: at(2) }
    const second = { name: 'b', K: 128, N: 4, packed: at(3), scales: at(4), zero_points: at(5) }
    const read = async (...weights: object[]) => {
      await writeFile(join(folder, 'r.json'), JSON.stringify({ data: 'w.data', weights }))
      return readPrefillWeights(folder, 'r.json')
    }
    const found = await read({ ...first, bits: 4, block_size: 32 }, { ...second, bits: 8, block_size: 64 })
    expect(found).toMatchObject([widen(narrow), widen(wide)])
    const [plain] = await read({ ...second, zero_points: undefined, bits: 8, block_size: 64 })
    expect(plain).toMatchObject(widen({ ...wide, zeros: wide.zeros.map(() => 128) }))
    await expect(read({ ...first, bits: 4 })).rejects.toThrow('r.json has no block_size for a.')
    await expect(read({ ...first, bits: 2, block_size: 32 })).rejects.toThrow(
      'weights.0.bits is 2, wanted 4 or 8.',
    )
    await expect(read({ ...first, block_size: 48 })).rejects.toThrow(
      '[64, 8] in blocks of 48 cannot be widened',
    )
  })

  it('of odd widths are refused', () => {
    expect(() => widen(randomMatrix(64, 6, 64, 1))).toThrow(/\[64, 6\] in blocks of 64 cannot be widened/)
  })
})
