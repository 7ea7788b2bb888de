// SPDX-License-Identifier: Apache-2.0

import { createHash } from 'node:crypto'
import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { applyAdapter } from '../../pipeline/checkpoint/adapter.ts'
import type { MergedTensor } from '../../pipeline/checkpoint/adapter-plan.ts'
import { readCheckpoint } from '../../pipeline/checkpoint/checkpoint.ts'
import { mergeAdapter } from '../../pipeline/checkpoint/merge-adapter.ts'
import { lengthOf, loadChange, scaleRow } from '../../pipeline/checkpoint/merge-rows.ts'
import { encode, readValues } from '../../pipeline/checkpoint/weight-values.ts'
import { ADAPTERS, type Entry, readTensors, tinyOf } from '../helpers/adapters.ts'
import { temporaryFolder } from '../helpers/folder.ts'

/* peft's own merges of the same adapters, in test/fixtures/adapters: python/tiny/write_adapters.py wrote them. */

const TYPES = ['BF16', 'F16', 'F32'] as const
const EXACT = ['plain', 'patterns', 'layers', 'whole', 'biases', 'untied'] as const
/** Units in the last place by which a row's norm may differ: PyTorch adds up to 128 squares in float32, by lanes. */
const NORM_UNITS = [0, 1, -1]

async function merge(base: string, adapter: string, folder: string) {
  const file = join(folder, 'merged.safetensors')
  const applied = await applyAdapter(await readCheckpoint(base), adapter, file)
  const seen: number[] = []
  await mergeAdapter({
    ...{ base, adapter, file, tensors: applied.adapter.tensors, signal: new AbortController().signal },
    onProgress: (done, total) => seen.push(done / total),
  })
  expect(seen.at(-1)).toBe(1)
  return { ...applied, merged: await readTensors(file) }
}

async function golden(name: string, dtype: string): Promise<Record<string, string>> {
  return JSON.parse(await readFile(join(ADAPTERS, name, 'merged.json'), 'utf8'))[dtype]
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** Rows before their magnitudes are given to them. */
async function rowsOf(folder: string, { name, base, change }: MergedTensor) {
  if (change?.kind !== 'product' || !change.magnitude) throw new Error(`${name} has no magnitudes`)
  const { magnitude, ...product } = change
  const weights = await open(join(folder, base.file))
  const adapter = await open(join(ADAPTERS, 'dora', 'adapter_model.safetensors'))
  try {
    const values = await readValues(weights, base)
    const magnitudes = await readValues(adapter, magnitude)
    ;(await loadChange(adapter, { base, change: product }))(values, 0)
    const cols = values.length / magnitudes.length
    return [...magnitudes].map((magnitude, row) => ({
      ...{ name, row, magnitude, sum: values.slice(row * cols, (row + 1) * cols) },
    }))
  } finally {
    await Promise.all([weights.close(), adapter.close()])
  }
}

function rowBytes(tensor: { entry: Entry; bytes: Buffer } | undefined, row: number): Buffer | undefined {
  const width = (tensor?.bytes.length ?? 0) / (tensor?.entry.shape[0] ?? 1)
  return tensor?.bytes.subarray(row * width, (row + 1) * width)
}

/** A float32 some units in the last place away. */
function moved(value: number, units: number): number {
  const bits = new Int32Array(Float32Array.of(value).buffer)
  return new Float32Array(Int32Array.of((bits[0] ?? 0) + units).buffer)[0] ?? 0
}

describe('merging as peft does', () => {
  for (const dtype of TYPES) {
    for (const name of EXACT) {
      it(`${name}, on ${dtype} weights: the same bits`, async () => {
        const folder = await temporaryFolder()
        const base = await tinyOf(folder, dtype, name === 'untied')
        const { merged } = await merge(base, join(ADAPTERS, name), folder)
        const wanted = await golden(name, dtype)
        const before = await readTensors(join(base, 'model.safetensors'))
        expect([...merged.keys()]).toEqual(expect.arrayContaining(Object.keys(wanted)))
        for (const [tensor, { entry, bytes }] of merged) {
          const unchanged = sha256(before.get(tensor)?.bytes ?? Buffer.alloc(0)) // rounding may take a small change away
          expect({ tensor, hash: sha256(bytes) }).toEqual({ tensor, hash: wanted[tensor] ?? unchanged })
          expect(entry.dtype).toBe(dtype)
        }
      })
    }

    it(`DoRA, on ${dtype} weights: the same bits for norms that PyTorch may have found`, async () => {
      const folder = await temporaryFolder()
      const base = await tinyOf(folder, dtype)
      const { merged, adapter } = await merge(base, join(ADAPTERS, 'dora'), folder)
      const wanted = await readTensors(join(ADAPTERS, 'dora', `merged-${dtype}.safetensors`))
      expect([...merged.keys()].sort()).toEqual([...wanted.keys()].sort())
      const rows = (await Promise.all(adapter.tensors.map((tensor) => rowsOf(base, tensor)))).flat()
      for (const { name, row, sum, magnitude } of rows) {
        const [mine, theirs] = [merged, wanted].map((all) => rowBytes(all.get(name), row))
        const withNorm = (units: number) => {
          const values = sum.slice()
          scaleRow(values, magnitude, moved(lengthOf(sum), units))
          return Buffer.from(encode(dtype, values) ?? [])
        }
        expect(mine?.equals(withNorm(0))).toBe(true)
        const units = NORM_UNITS.find((units) => theirs?.equals(withNorm(units)))
        expect({ name, row, units }).toEqual({ name, row, units: expect.any(Number) })
      }
      expect(rows).toHaveLength(32 + 64)
    })
  }
})
