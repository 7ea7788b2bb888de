// SPDX-License-Identifier: Apache-2.0

import { lstat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type FileRange, fileState } from '../../graph-tools/bytes.ts'
import { locationsOf } from '../../graph-tools/folder.ts'
import type { Model } from '../../graph-tools/model.ts'
import { sameBytes } from '../../graph-tools/same-bytes.ts'
import { Failure } from '../shared/failure.ts'

/**
 * Whether a graph may get a second name.
 * @throws Failure when another file has that name, or the graph's data files would not be beside it
 */
export async function refuseAlias(model: Model, name: string): Promise<void> {
  const [target = '', read] = [model.path, locationsOf(model)]
  if (read.length > 0 && dirname(name) !== dirname(target)) {
    throw new Failure(
      `${target} reads ${read.join(', ')}, which would not be beside ${name}.`,
      'Name it in the same folder, or inline its weights first.',
    )
  }
  const info = await lstat(name).catch(() => undefined)
  const isSame = info?.isFile() === true && (await sameBytes(wholeOf(target), wholeOf(name)))
  if (!info || isSame) return
  throw new Failure(
    `${name} is there already, and is not the same as ${target}.`,
    'Choose another name, or delete it first.',
  )
}

function wholeOf(path: string): FileRange {
  const { size, identity } = fileState(path)
  return { path, identity, start: 0, end: size }
}
