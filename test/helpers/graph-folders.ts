// SPDX-License-Identifier: Apache-2.0

import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { rewriteInPlace } from '../../graph-tools/apply.ts'
import { externalize } from '../../graph-tools/externalize.ts'
import { PATCH_MINIMUM } from '../../graph-tools/keep-length.ts'
import { openModel } from '../../graph-tools/model.ts'
import { bytesOf, writeModel } from './graph-files.ts'
import { encodeModel, floatTensor, int64Tensor, reshape, unknownField } from './onnx.ts'

const GRAPHS = ['a.onnx', 'b.onnx', 'large.onnx']
const numbers = (count: number, scale = 1) => Array.from({ length: count }, (_, i) => scale * (i % 60_000))

/** Two decoders with traces, an equal table, lm_head and weight, and one weight of their own each. */
export async function writeDecoders(folder: string, place: 'inside' | 'outside'): Promise<void> {
  for (const [name, scale] of [
    ['a', 2],
    ['b', 3],
  ] as const) {
    const trace = Buffer.concat([
      unknownField(1, 'pkg.torch.export.graph'),
      unknownField(2, `/home/me/${name}`),
    ])
    const bytes = Buffer.concat([encodeModel(decoder(scale)), unknownField(14, trace)])
    await writeFile(join(folder, `${name}.onnx`), bytes)
    if (place === 'inside') continue
    const model = openModel(join(folder, `${name}.onnx`))
    const location = name === 'a' ? 'w.data' : 'b.data'
    await rewriteInPlace([model], await externalize([model], { folder, location, threshold: 1 }))
  }
  // The embedding table as older exports had it.
  await writeFile(join(folder, 'embed_tokens.bin'), new Uint8Array(Float32Array.from(numbers(64)).buffer))
  await writeFile(join(folder, 'config.json'), '{"embed_tokens_shape": [16, 4], "rope_theta": 1000000.0}\n')
}

function decoder(scale: number) {
  return {
    name: 'g',
    initializer: [
      floatTensor('own', numbers(500, scale)),
      floatTensor('common', numbers(600)),
      floatTensor('table', numbers(64), [16, 4]),
      floatTensor('head', numbers(600, 7), [4, 150]),
    ],
    node: [
      { opType: 'Gather', name: 'look', input: ['table', 'input_ids'], output: ['embeds'] },
      { opType: 'MatMul', name: 'score', input: ['embeds', 'head'], output: ['logits'] },
    ],
  }
}

/** A graph above the size from which files are patched where they are. */
export async function writeLarge(folder: string): Promise<void> {
  await writeModel(folder, 'large.onnx', {
    name: 'g',
    node: [reshape('r', 'shape', 1), reshape('s', 'shape', 1)],
    initializer: [
      int64Tensor('shape', [1, -1]),
      { name: 'weight', dims: [PATCH_MINIMUM], dataType: 2, rawData: Buffer.alloc(PATCH_MINIMUM, 'weights') },
    ],
  })
}

/** Every tensor of every graph there is, by content. */
export async function contentsOf(folder: string): Promise<Map<string, string>> {
  const contents = new Map<string, string>()
  for (const name of GRAPHS) {
    if (!existsSync(join(folder, name))) continue
    const model = openModel(join(folder, name))
    for (const tensor of model.tensors) {
      contents.set(`${name} ${tensor.name}`, hashOf(await bytesOf(model, tensor.name)))
    }
  }
  return contents
}

/** Every file by content, but for what a stopped command may leave until the next one. */
export async function filesOf(folder: string): Promise<Map<string, string>> {
  const isLeft = (name: string) => name.endsWith('.partial') || name.startsWith('.graph-tools-lock')
  const names = (await readdir(folder)).filter((name) => !isLeft(name)).sort()
  return new Map(
    await Promise.all(names.map(async (name) => [name, hashOf(await readFile(join(folder, name)))] as const)),
  )
}

function hashOf(bytes: Uint8Array): string {
  return createHash('sha1').update(bytes).digest('hex')
}
