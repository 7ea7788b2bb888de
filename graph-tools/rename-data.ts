// SPDX-License-Identifier: Apache-2.0

import { join } from 'node:path'
import type { FileChange } from './commit.ts'
import { dataName } from './data-name.ts'
import { moveOut, normalLocation, storedRange } from './external-data.ts'
import { isRead } from './folder.ts'
import { GraphError } from './graph-error.ts'
import type { Model } from './model.ts'
import type { Edit } from './splice.ts'
import { byteLength } from './tensor-data.ts'

/** The edits of each model, in order, and the data file under its new name, the old one gone. */
export interface Renaming {
  readonly edits: readonly (readonly Edit[])[]
  readonly data: readonly FileChange[]
}

/**
 * Give a data file another name, in the folder and in the graphs that read it. No weight is copied where the file
 * system has hard links.
 * @param from location that the graphs have now
 * @throws GraphError when no graph reads `from`, its file is missing or too short, or `to` is a name that
 * {@link dataName} refuses or that the graphs read already
 * @see https://github.com/onnx/onnx/blob/main/docs/ExternalData.md
 */
export function renameData(models: readonly Model[], folder: string, from: string, to: string): Renaming {
  const [old, wanted] = [normalLocation(from, folder), dataName(to, models, folder)]
  if (!isRead(models, folder, old)) {
    throw new GraphError(`None of the graphs reads ${from}.`, 'inspect shows where their weights are.')
  }
  if (isRead(models, folder, wanted)) {
    throw new GraphError(`The graphs read a file ${wanted} already.`, 'Choose another name.')
  }
  const edits = models.map((model) =>
    model.tensors
      .filter(({ location }) => location === old)
      .flatMap((tensor): Edit[] => {
        const { start, end } = storedRange(tensor, folder, byteLength(tensor))
        return moveOut(tensor, wanted, start, end - start)
      }),
  )
  const target = join(folder, old)
  return {
    edits,
    data: [
      { path: join(folder, wanted), target },
      { path: target, remove: true },
    ],
  }
}
