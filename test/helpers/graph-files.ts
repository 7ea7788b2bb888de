// SPDX-License-Identifier: Apache-2.0

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { onnx as Onnx } from 'onnx-proto'
import { commit } from '../../graph-tools/commit.ts'
import { pieceChunks } from '../../graph-tools/files.ts'
import { type Model, openModel, type Tensor } from '../../graph-tools/model.ts'
import { applyEdits, type Edit } from '../../graph-tools/splice.ts'
import { contentOf } from '../../graph-tools/tensor-data.ts'
import { encodeModel } from './onnx.ts'

/** Write a model and open it from its file. */
export async function writeModel(folder: string, name: string, graph: Onnx.IGraphProto): Promise<Model> {
  const path = join(folder, name)
  await writeFile(path, encodeModel(graph))
  return openModel(path)
}

/** Write an edited model over the old one, and open it again. */
export async function rewritten(model: Model, edits: readonly Edit[] = []): Promise<Model> {
  const path = model.path ?? ''
  await commit(model.folder, [{ path, content: applyEdits(model.bytes, edits) }])
  return openModel(path)
}

export function tensorNamed(model: Model, name: string): Tensor {
  const tensor = model.tensors.find((found) => found.name === name)
  if (!tensor) throw new Error(`no tensor ${name}`)
  return tensor
}

/** A tensor's bytes, wherever they are. */
export async function bytesOf(model: Model, name: string): Promise<Buffer> {
  const content = contentOf(model, tensorNamed(model, name))
  const chunks: Buffer[] = []
  if (content) for await (const chunk of pieceChunks(content)) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}
