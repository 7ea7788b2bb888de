import { join } from 'node:path'
import type { FileChange } from './commit.ts'
import { externalRange, locationOf, moveOut, resolveLocation } from './external-data.ts'
import { GraphError } from './graph-error.ts'
import type { Model } from './model.ts'
import type { Edit } from './splice.ts'
import { byteLength } from './tensor-data.ts'

export interface Renaming {
  /** edits of each model, in order */
  readonly edits: readonly (readonly Edit[])[]
  /** the data file under its new name, and the old name gone */
  readonly data: readonly FileChange[]
}

/**
 * Give a data file another name, in the folder and in the graphs that read it. No weight is copied where the file
 * system has hard links.
 * @param from location that the graphs have now
 * @throws GraphError when no graph reads `from`, or `to` is outside the folder
 */
export function renameData(models: readonly Model[], folder: string, from: string, to: string): Renaming {
  const path = resolveLocation(to, folder)
  const edits = models.map((model) =>
    model.tensors
      .filter((tensor) => tensor.external.size > 0 && locationOf(tensor) === from)
      .flatMap((tensor): Edit[] => {
        const { start, end } = externalRange(tensor, folder, byteLength(tensor))
        return moveOut(tensor, to, start, end - start)
      }),
  )
  if (edits.every((list) => list.length === 0)) {
    throw new GraphError(`None of the graphs reads ${from}.`, 'See where their weights are with inspect.')
  }
  const target = join(folder, from)
  return {
    edits,
    data: [
      { path, target },
      { path: target, remove: true },
    ],
  }
}
