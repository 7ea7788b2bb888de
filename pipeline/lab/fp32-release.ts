// SPDX-License-Identifier: Apache-2.0

import { basename, dirname, join, resolve } from 'node:path'
import { EMBEDDINGS, ENCODER, FP32, graphFile, LAYOUTS } from '../../eval/runtime/graphs.ts'
import { openRelease } from '../../eval/runtime/release.ts'
import { onlyModel } from '../release/only-model.ts'
import { Failure } from '../shared/failure.ts'
import { exists } from '../shared/output-files.ts'
import { type Paths, pathsOf } from '../shared/paths.ts'

const [FUSED] = LAYOUTS.fused

/**
 * The folder of a release that trials are made from.
 * @param folder the only one in output/ when it is left out
 * @throws Failure when it lacks FP32's files, SpeechError when it is not a release
 */
export async function fp32Release(folder: string | undefined): Promise<Paths> {
  const chosen = resolve(folder ?? (await onlyModel('name its folder with --model-dir')))
  await openRelease(chosen)
  await requireFp32(chosen)
  return pathsOf(dirname(chosen), basename(chosen))
}

async function requireFp32(folder: string): Promise<void> {
  const has = (name: string) => exists(join(folder, name))
  const decoder = graphFile(FUSED, FP32)
  const split = LAYOUTS.split.map((graph) => graphFile(graph, FP32))
  if (!(await has(decoder))) {
    const found = (await Promise.all(split.map(has))).every(Boolean)
      ? `has FP32 in the split layout only (${split.join(', ')})`
      : `holds no FP32 decoder`
    throw new Failure(
      `${folder} ${found}, wanted ${decoder}.`,
      'Name a release that has the variant fp32 in the fused layout; npm run pipeline makes one.',
    )
  }
  for (const name of [graphFile(ENCODER, FP32), EMBEDDINGS])
    if (!(await has(name)))
      throw new Failure(`${folder} holds no ${name}, wanted all files of fp32.`, 'Unpack the archive again.')
}
