// SPDX-License-Identifier: Apache-2.0

import { lstatSync, statSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { normalLocation, resolveLocation } from './external-data.ts'
import { isRead } from './folder.ts'
import { GraphError } from './graph-error.ts'
import type { Model } from './model.ts'

/**
 * The location of a data file that is to be written beside graphs, normalized.
 * @param models the graphs that change with it: a file that they read may be written again, any other one not
 * @throws GraphError when it is outside the folder, or a file that the graphs do not read, or new and with a graph's name
 */
export function dataName(given: string, models: readonly Model[], folder: string): string {
  const location = normalLocation(given, folder)
  const path = placeOf(given, location, folder)
  if (isRead(models, folder, location)) return location
  if (/\.onnx$/i.test(location)) {
    throw new GraphError(
      `${location} is the name of a graph, wanted that of a data file.`,
      `Use ${location}.data.`,
    )
  }
  if (lstatSync(path, { throwIfNoEntry: false })) {
    throw new GraphError(
      `${path} is there already, and none of the given graphs reads it.`,
      'Choose another name, or give the graphs that read it as well.',
    )
  }
  return location
}

function placeOf(given: string, location: string, folder: string): string {
  const hint = `A data file is a name beside the graphs: ${basename(location) || 'w.data'}.`
  try {
    const path = resolveLocation(location, folder)
    if (statSync(dirname(path), { throwIfNoEntry: false })?.isDirectory()) return path
    throw new GraphError(`There is no folder ${dirname(path)} for the data file ${given}.`)
  } catch (error) {
    throw error instanceof GraphError ? new GraphError(error.message, hint) : error
  }
}
