// SPDX-License-Identifier: Apache-2.0

import { readFile } from 'node:fs/promises'
import * as v from 'valibot'
import { parseJson, readJsonFile } from './runtime/json-file.ts'
import { checkedAs, type Parsed } from './runtime/schema.ts'
import { SpeechError } from './runtime/speech-error.ts'

/* JSON from outside, which is never taken for what it should be. */

/**
 * The value of a JSON text.
 * @param file for messages
 * @param fail makes the error of a sentence that names the file, the first key that is wrong, its value and what is wanted
 */
export function parseChecked<Schema extends v.GenericSchema>(
  schema: Schema,
  text: string,
  file: string,
  fail: (message: string) => Error,
): Parsed<Schema> {
  return checkedAs(schema, parseJson(text, file, fail), { file }, fail) as Parsed<Schema>
}

/**
 * The object in a JSON file.
 * @param hint what to do about a file that is not right
 * @returns undefined when there is no such file
 * @throws SpeechError as {@link readJsonFile}, and naming the first key that is wrong, its value and what is wanted
 */
export async function readChecked<Schema extends v.GenericSchema>(
  schema: Schema,
  path: string,
  hint: string,
): Promise<Parsed<Schema> | undefined> {
  const fail = (message: string) => new SpeechError(message, hint)
  const value = await readJsonFile(path, fail)
  return value && (checkedAs(schema, value, { file: path }, fail) as Parsed<Schema>)
}

/**
 * The value of a JSON file that can be made again: a cache, or a note that something is done.
 * @returns undefined when there is no such file, or it is damaged or of another version
 */
export async function readOwn<Schema extends v.GenericSchema>(
  schema: Schema,
  path: string,
): Promise<Parsed<Schema> | undefined> {
  try {
    const result = v.safeParse(schema, JSON.parse(await readFile(path, 'utf8')), { abortEarly: true })
    return result.success ? (result.output as Parsed<Schema>) : undefined
  } catch {
    return undefined
  }
}
