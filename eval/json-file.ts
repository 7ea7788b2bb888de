import { readFile, stat } from 'node:fs/promises'
import { isJsonObject, type JsonObject, shown } from './json-value.ts'
import { requireFile } from './plain-file.ts'
import { SpeechError } from './speech-error.ts'

/**
 * Read a JSON file of a release.
 * @returns the parsed file, an object; whoever relies on a key checks it
 * @throws SpeechError when there is no such file, or it does not hold a JSON object
 */
export async function readJson(path: string): Promise<JsonObject> {
  if (!(await stat(path).catch(() => undefined))) {
    throw new SpeechError(
      `${path} is missing.`,
      'A release directory holds it; give the folder that contains encoder.onnx.',
    )
  }
  await requireFile(path)
  let value: unknown
  try {
    value = JSON.parse(await readFile(path, 'utf8'))
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw damaged(`${path} is not valid JSON.`)
  }
  if (!isJsonObject(value)) throw damaged(`${path} holds ${shown(value)}, wanted an object.`)
  return value
}

/** The error of a file that is not as the exporter wrote it. */
export function damaged(message: string): SpeechError {
  return new SpeechError(message, 'Take it from the release again.')
}
