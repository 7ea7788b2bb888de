// SPDX-License-Identifier: Apache-2.0

import { differenceOf } from '../../eval/difference.ts'
import { type Decoder, type DecoderOptions, openDecoder } from '../../eval/runtime/decoder.ts'
import { DeviceKvCache } from '../../eval/runtime/device-kv-cache.ts'
import { openDeviceMoves } from '../../eval/runtime/device-moves.ts'
import { writeGraph } from '../../eval/runtime/graph-writer.ts'
import { Tensor } from '../../eval/runtime/onnxruntime.ts'
import type { PromptInput } from '../../eval/runtime/prompt.ts'
import { openVariantEmbeddings } from '../../eval/runtime/quantized-embeddings.ts'
import { openRelease } from '../../eval/runtime/release.ts'
import { floats, openGraph } from '../../eval/runtime/session.ts'
import { arraysOf, NAMES, playRounds, type Row, SHAPE } from './kv-rounds.ts'

/* FOLDER: whether keys and values on a device are what they are in the program's memory, as JSON. */

const WEBGPU = { provider: 'webgpu', threads: 1 } as const
const [folder = ''] = process.argv.slice(2)
const { live, most } = countDeviceTensors()

const positions = await comparedWithRows()
const decoded = await comparedWithProcessor()
console.log(JSON.stringify({ positions, ...decoded, most: most(), left: live.size }))

/** Tensors of a device that have been made and not disposed of. */
function countDeviceTensors() {
  const live = new Set<Tensor>()
  let most = 0
  const { fromGpuBuffer } = Tensor
  Tensor.fromGpuBuffer = (...args) => {
    const tensor = fromGpuBuffer(...args)
    live.add(tensor as Tensor)
    most = Math.max(most, live.size)
    return tensor
  }
  const { dispose } = Tensor.prototype
  Tensor.prototype.dispose = function (this: Tensor) {
    live.delete(this)
    dispose.call(this)
  }
  return { live, most: () => most }
}

/** @returns how many positions there were @throws Error when the cache holds others */
async function comparedWithRows(): Promise<number> {
  const dims = ['rows', SHAPE.heads, 'capacity', SHAPE.headDim]
  const values = (suffix: string) =>
    NAMES.map((name) => ({ name: `${name}${suffix}`, type: 'float32' as const, dims }))
  const nodes = NAMES.map((name) => ({ operator: 'Identity', inputs: [name], output: `${name}.out` }))
  const bytes = writeGraph(nodes, values(''), values('.out'))
  const reader = await openGraph('the reader', { bytes, folder: '' }, WEBGPU)
  const cache = new DeviceKvCache(SHAPE, NAMES, await openDeviceMoves(NAMES.length, SHAPE, WEBGPU), 2)
  const count = await playRounds(cache, 150, async (rows) => {
    expectEqual(cache.lengths, lengthsOf(rows))
    if (rows.length === 0) return
    await cache.reserve()
    const results = await reader.run(cache.feeds)
    const wanted = arraysOf(rows)
    for (const [i, name] of NAMES.entries())
      expectSame(results[`${name}.out`] as Tensor, wanted[i] as Tensor, lengthsOf(rows))
  })
  await cache.release()
  await reader.release()
  return count
}

function lengthsOf(rows: readonly Row[]): number[] {
  return rows.map((row) => row.length)
}

function expectEqual(found: unknown, wanted: unknown): void {
  if (JSON.stringify(found) !== JSON.stringify(wanted))
    throw new Error(`Found ${JSON.stringify(found)}, wanted ${JSON.stringify(wanted)}.`)
}

/** Each row's positions must be the same, and what is behind them finite. */
function expectSame(found: Tensor, wanted: Tensor, lengths: readonly number[]): void {
  const [rows = 0, heads = 0, capacity = 0, size = 0] = found.dims
  expectEqual(rows, lengths.length + (lengths.length % 2))
  const [values, known] = [floats(found), floats(wanted)]
  if (!values.every(Number.isFinite)) throw new Error('The cache holds what is no number.')
  const [, , longest = 0] = wanted.dims
  for (let part = 0; part < lengths.length * heads; part++) {
    const length = (lengths[Math.floor(part / heads)] as number) * size
    const [at, from] = [part * capacity * size, part * longest * size]
    expectEqual([...values.subarray(at, at + length)], [...known.subarray(from, from + length)])
  }
}

/** Logits of all calls with the cache on the device, against the processor's. */
async function comparedWithProcessor() {
  const release = await openRelease(folder, 'asr')
  const source = { release, variant: release.variant('fp32') }
  const embeddings = await openVariantEmbeddings(source.release, source.variant)
  const play = async (options: DecoderOptions) => {
    const decoder = await openDecoder(source, embeddings, { ...options, layout: 'fused' })
    const logits = await playBatch(decoder, embeddings.hidden)
    await decoder.release()
    return logits
  }
  const [found, wanted] = [await play(WEBGPU), await play({ provider: 'cpu', threads: 1 })]
  embeddings.close()
  const names = { found: 'webgpu', wanted: 'cpu' }
  const worst = found.map((logits, i) => differenceOf(logits, wanted[i] as Float32Array, names).worst)
  return { calls: found.length, logits: Math.max(...worst) }
}

/** Rows that come with a kept head and a draft, that leave, and that grow past two capacities. */
async function playBatch(decoder: Decoder, hidden: number): Promise<Float32Array[]> {
  const calls: Float32Array[] = []
  const token = (i: number) => (37 * i) % 300
  const input = (context: number, frames: number): PromptInput => {
    const audio = new Array<number>(frames).fill(0)
    const ids = [...Array.from({ length: context }, (_, i) => token(i)), ...audio, token(5)]
    const features = Float32Array.from({ length: frames * hidden }, (_, i) => Math.sin(i + frames) / 9)
    return { prompt: { ids, audioOffset: context }, features }
  }
  const prefill = async (prompt: PromptInput, draft: readonly number[] = []) =>
    void calls.push((await decoder.prefill([prompt], draft)).slice())
  const steps = async (count: number) => {
    for (let i = 0; i < count; i++) {
      const tokens = Array.from({ length: decoder.rows }, (_, row) => token(calls.length + 7 * row))
      calls.push((await decoder.step(tokens)).slice())
    }
  }
  await prefill(input(40, 20), [token(1), token(2)])
  decoder.shorten(0, 1) // to 62 positions
  await steps(4)
  await prefill(input(40, 85)) // with the same head, to 126
  await steps(3)
  decoder.remove(0)
  await steps(2)
  decoder.clear()
  await prefill(input(35, 20)) // with another
  await steps(1)
  return calls
}
