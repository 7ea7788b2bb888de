// SPDX-License-Identifier: Apache-2.0

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openQuantizedEmbeddings } from '../../eval/runtime/quantized-embeddings.ts'
import { openRelease } from '../../eval/runtime/release.ts'
import { missingGraphs } from '../../graph-tools/contract.ts'
import { roleOf } from '../../pipeline/release/manifest.ts'
import { tinyConfig } from '../helpers/config.ts'
import { temporaryFolder } from '../helpers/folder.ts'

const FILE = 'embed_tokens.x.json'

/** Two rows of four values in blocks of two, by hand. */
const EIGHT = {
  packed: Buffer.from([0, 128, 255, 130, 1, 2, 3, 4]),
  scales: Buffer.from(Float32Array.of(0.5, 2, -1, 0.25).buffer),
  zeros: Buffer.from([128, 130, 2, 0]),
  rows: [
    [-64, 0, 250, 0],
    [1, 0, 0.75, 1],
  ],
  plain: [
    [-64, 0, 254, 4],
    [127, 126, -31.25, -31],
  ],
}
const FOUR = {
  packed: Buffer.from([0xf0, 0x81, 0x27, 0xa9]), // 0, 15, 1, 8 and 7, 2, 9, 10
  scales: Buffer.from(Float32Array.of(1, 0.5, -2, 4).buffer),
  zeros: Buffer.from([0x28, 0xf0]), // 8, 2 and 0, 15
  rows: [
    [-8, 7, -0.5, 3],
    [-14, -4, -24, -20],
  ],
  plain: [
    [-8, 7, -3.5, 0],
    [2, 12, 4, 8],
  ],
}

async function write(bits: number, { packed, scales }: typeof EIGHT, zeros?: Buffer, more = {}) {
  const folder = await temporaryFolder()
  await writeFile(join(folder, 'w.data'), Buffer.concat([Buffer.alloc(12), packed, scales, zeros ?? packed]))
  const table = {
    ...{ about: 'text', data: 'w.data', bits, block_size: 2, shape: [2, 4] },
    ...{ packed: 12, scales: 12 + packed.length },
    ...(zeros && { zero_points: 12 + packed.length + scales.length }),
    ...more,
  }
  await writeFile(join(folder, FILE), JSON.stringify(table))
  return folder
}

async function rowsOf(folder: string): Promise<number[][]> {
  const table = await openQuantizedEmbeddings(folder, FILE, [2, 4])
  const out = new Float32Array(6).fill(9)
  const rows = [1, 0].map((id) => {
    table.read(id, out, 1)
    expect([out[0], out[5]]).toEqual([9, 9]) // nothing beside the row
    return Array.from(out.subarray(1, 5), (value) => value + 0) // -0 is 0
  })
  table.close()
  return rows.reverse()
}

describe('rows of a quantized output layer', () => {
  it.each([
    ['8', 8, EIGHT],
    ['4', 4, FOUR],
  ] as const)(
    'are (q - zero point) * scale, with zero points and without: %s bits',
    async (_, bits, matrix) => {
      expect(await rowsOf(await write(bits, matrix, matrix.zeros))).toEqual(matrix.rows)
      expect(await rowsOf(await write(bits, matrix))).toEqual(matrix.plain)
      const inside = Object.fromEntries(
        [['packed', matrix.packed] as const, ['scales', matrix.scales] as const].map(([key, bytes]) => [
          key,
          bytes.toString('base64'),
        ]),
      )
      expect(await rowsOf(await write(bits, matrix, undefined, inside))).toEqual(matrix.plain)
    },
  )

  it.each([
    [{ shape: [2, 8] }, /shape is \[2, 8\], wanted \[2, 4\] as config\.json says\./],
    [{ block_size: 3 }, /block_size is 3, wanted an even divisor of 4\./],
    [{ bits: 2 }, /bits is 2, wanted 4 or 8\./],
    [{ packed: 30 }, /w\.data ends at byte 44, wanted /],
    [{ scales: 'AAAA' }, /has 3 bytes in base64, wanted 16\./],
    [{ data: '../w.data' }, /data is "\.\.\/w\.data", wanted the name of a file beside it\./],
    [{ data: 'gone.data' }, /gone\.data cannot be read: ENOENT/],
  ])('are refused: %j', async (more, message) => {
    const change = 'packed' in more ? { packed: 38 } : more
    const folder = await write(8, EIGHT, undefined, change)
    await expect(openQuantizedEmbeddings(folder, FILE, [2, 4])).rejects.toThrow(message)
  })

  it('end where the vocabulary does', async () => {
    const table = await openQuantizedEmbeddings(await write(8, EIGHT), FILE, [2, 4])
    for (const id of [-1, 2, Number.NaN])
      expect(() => table.read(id, new Float32Array(4))).toThrow(`has no row ${id}, it has 2.`)
    table.close()
  })
})

describe('variants of a release', () => {
  const FP32 = ['encoder.onnx', 'decoder_init.onnx', 'decoder_step.onnx', 'decoder.onnx']
  const COMPACT = ['encoder.compact.onnx', 'decoder.compact.onnx', 'embed_tokens.compact.json']

  async function open(...names: string[]) {
    const folder = await temporaryFolder()
    for (const name of names) await writeFile(join(folder, name), '')
    await writeFile(join(folder, 'config.json'), JSON.stringify(await tinyConfig()))
    return openRelease(folder)
  }

  it('one with a layout of its own has no other, and takes no decoder of FP32', async () => {
    const release = await open(...FP32, ...COMPACT)
    const compact = release.variant('compact')
    expect(compact.ways('cpu')).toEqual([{ layout: 'fused', prefill: 'same' }])
    expect([...compact.graphs.values()]).toEqual(['encoder.compact.onnx', 'decoder.compact.onnx'])
    expect(compact.table).toBe('embed_tokens.compact.json')
    expect(release.variant('fp32').table).toBeUndefined()
  })

  it('one without a complete layout of its own takes FP32’s decoders', async () => {
    const { variants } = await open(
      ...FP32,
      'decoder_init.old.onnx',
      'decoder_step.old.onnx',
      'decoder_init.half.onnx',
    )
    const layouts = (name: string) =>
      variants
        .find((one) => one.name === name)
        ?.ways('cpu')
        .map(({ layout }) => layout)
    expect(layouts('old')).toEqual(['split'])
    expect(layouts('half')).toEqual(['fused', 'split'])
  })

  it('one that only this layout can read is taken when nothing else is there', async () => {
    expect((await open(...COMPACT)).variant().name).toBe('compact')
    expect((await open(...COMPACT, 'decoder.q8.onnx')).variant().name).toBe('q8')
    expect((await open(...COMPACT, 'decoder.int4.onnx')).variant().name).toBe('int4')
    expect((await open(...COMPACT, ...FP32)).variant().name).toBe('fp32')
  })
})

it('a precision with such a table is complete with encoder and fused decoder; any other needs the split layout', () => {
  const graphs = ['encoder.compact.onnx', 'decoder.compact.onnx']
  expect(missingGraphs(graphs, ['embed_tokens.compact.json'])).toEqual([])
  expect(missingGraphs(graphs, ['embed_tokens.other.json'])).toEqual([
    'decoder_init.compact.onnx',
    'decoder_step.compact.onnx',
  ])
  expect(missingGraphs(['encoder.onnx'], ['embed_tokens.compact.json'])).toEqual([
    'decoder_init.onnx',
    'decoder_step.onnx',
  ])
  expect(missingGraphs(['encoder.compact.onnx'], ['embed_tokens.compact.json'])).toEqual([
    'decoder.compact.onnx',
  ])
})

it('the manifest counts the table among the embeddings', () => {
  const names = [
    'embed_tokens.compact.json',
    'embed_tokens.bin',
    'decoder_prefill.compact.json',
    'config.json',
  ]
  expect(names.map(roleOf)).toEqual(['embeddings', 'embeddings', 'prefill', 'config'])
})
