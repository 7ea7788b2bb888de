// SPDX-License-Identifier: Apache-2.0

import { readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { ALIGNER, type Family, FP32, graphFile } from '../../eval/runtime/graphs.ts'
import { EXIT, Failure } from '../shared/failure.ts'
import { exists } from '../shared/output-files.ts'
import { OUTPUT } from '../shared/own-places.ts'

/**
 * The one model directory of output/, for a command line that names none.
 * @param how a command line names one, such as "give its folder"
 * @param family the kind of model that is wanted; any by default
 * @throws Failure when there is none, or several
 */
export async function onlyModel(how: string, family?: Family): Promise<string> {
  const names = await readdir(OUTPUT).catch(() => [])
  const models: string[] = []
  for (const name of names.sort()) {
    const folder = join(OUTPUT, name)
    if ((await exists(join(folder, 'config.json'))) && (await isOf(folder, family))) models.push(folder)
  }
  const [only, ...others] = models
  const what = family === 'aligner' ? 'forced aligner' : 'release'
  if (only !== undefined && others.length === 0) return only
  throw new Failure(
    only === undefined
      ? `There is no ${what} in ${OUTPUT}.`
      : `There are ${models.length} ${what}s in ${OUTPUT}: ${models.map((path) => basename(path)).join(', ')}.`,
    only === undefined ? `Make one with npm run pipeline, or ${how}.` : `Which one? Please ${how}.`,
    EXIT.usage,
  )
}

async function isOf(folder: string, family: Family | undefined): Promise<boolean> {
  const isAligner = await exists(join(folder, graphFile(ALIGNER, FP32)))
  return family === undefined || isAligner === (family === 'aligner')
}
