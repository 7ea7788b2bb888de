import { readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { PROJECT } from '../models.ts'
import { EXIT, Failure } from '../shared/failure.ts'
import { exists } from '../shared/output-files.ts'

/**
 * The one model directory of output/, for a command line that names none.
 * @param how a command line names one, such as "give its folder"
 * @throws Failure when there is none, or several
 */
export async function onlyModel(how: string): Promise<string> {
  const output = join(PROJECT, 'output')
  const names = await readdir(output).catch(() => [])
  const models: string[] = []
  for (const name of names.sort()) {
    if (await exists(join(output, name, 'config.json'))) models.push(join(output, name))
  }
  const [only, ...others] = models
  if (only !== undefined && others.length === 0) return only
  throw new Failure(
    only === undefined
      ? `There is no release in ${output}.`
      : `There are ${models.length} releases in ${output}: ${models.map((path) => basename(path)).join(', ')}.`,
    only === undefined ? `Make one with npm run pipeline, or ${how}.` : `Which one? Please ${how}.`,
    EXIT.usage,
  )
}
