// SPDX-License-Identifier: Apache-2.0

import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ALIGNER } from '../../eval/runtime/graphs.ts'
import { isJsonObject, type JsonObject } from '../../eval/runtime/json-value.ts'
import { wrongValue } from '../../eval/runtime/schema.ts'
import { GraphError } from '../../graph-tools/graph-error.ts'
import { openModel } from '../../graph-tools/model.ts'

const FILE = 'config.json'
const GRAPH = new RegExp(`^${ALIGNER}(\\.[\\w-]+)?\\.onnx$`)

/**
 * Where config.json of a forced aligner does not go with its graphs; none for other kinds of models.
 * @param only names of the release's files, where others lie beside them
 */
export async function alignerProblems(
  folder: string,
  config: JsonObject,
  only?: readonly string[],
): Promise<string[]> {
  const there = only ?? (await readdir(folder))
  const names = there.filter((name) => GRAPH.test(name)).sort()
  const { aligner } = config
  if (names.length === 0) return []
  if (aligner === undefined)
    return [`${FILE}: aligner is missing, wanted what the slots of ${names.join(' and ')} mean.`]
  const found = isJsonObject(aligner) ? aligner['classes'] : undefined
  return names.flatMap((name) => {
    const wanted = classesOf(join(folder, name))
    if (typeof found !== 'number' || wanted === undefined || found === wanted) return []
    return [wrongValue({ file: FILE, key: 'aligner.classes', found, wanted: `${wanted}, as in ${name}` })]
  })
}

/** Undefined for a graph that the contract's other checks name. */
function classesOf(path: string): number | undefined {
  try {
    const { outputs } = openModel(path).graph
    const size = outputs.find(({ name }) => name === 'logits')?.shape?.at(-1)
    return typeof size === 'number' ? size : undefined
  } catch (error) {
    if (!(error instanceof GraphError)) throw error
    return undefined
  }
}
