// SPDX-License-Identifier: Apache-2.0

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'
import { readChecked } from './checked-json.ts'
import { count, dictionary, list, type Parsed, shape, text } from './runtime/schema.ts'
import { SpeechError } from './runtime/speech-error.ts'

/** A float32 array that python/reference.py dumped. */
export interface ReferenceArray {
  readonly data: Float32Array
  readonly shape: readonly number[]
}

/** What PyTorch computed for one clip. */
export interface Reference {
  readonly id: string
  readonly promptIds: readonly number[]
  /** greedy tokens of model.generate, end token included */
  readonly tokens: readonly number[]
  /** [128, T] */
  readonly mel: ReferenceArray
  /** [N, H] */
  readonly features: ReferenceArray
  /** [steps, V]: row k predicts token k; undefined for clips that only compare tokens */
  readonly logits: ReferenceArray | undefined
}

/** A file of floats. */
export const ARRAY = shape({ file: text, shape: list(count) })
/** index.json of python/reference.py. */
const INDEX = shape({
  clips: list(
    shape({
      id: text,
      prompt_ids: list(count),
      tokens: list(count),
      mel: ARRAY,
      features: ARRAY,
      logits: v.exactOptional(ARRAY),
    }),
  ),
  versions: dictionary(text),
})

/** index.json of a folder of references, as it was read. */
export type ReferenceIndex = Parsed<typeof INDEX>

const HINT = 'PyTorch writes it: run the validation again with --force.'

/**
 * Read index.json of a folder of references.
 * @throws SpeechError when it is missing, or names the key that is not right
 */
export async function readReferenceIndex(folder: string): Promise<ReferenceIndex> {
  const path = join(folder, 'index.json')
  const index = await readChecked(INDEX, path, HINT)
  if (index) return index
  throw new SpeechError(`${path} is missing.`, HINT)
}

/** Load one clip's arrays. */
export async function readReference(
  folder: string,
  entry: ReferenceIndex['clips'][number],
): Promise<Reference> {
  return {
    id: entry.id,
    promptIds: entry.prompt_ids,
    tokens: entry.tokens,
    mel: await readArray(folder, entry.mel),
    features: await readArray(folder, entry.features),
    logits: entry.logits && (await readArray(folder, entry.logits)),
  }
}

/**
 * Read a float32 array, little-endian, of the shape that the index has for it.
 * @throws SpeechError when the file has another size
 */
export async function readArray(
  folder: string,
  { file, shape: sizes }: Parsed<typeof ARRAY>,
): Promise<ReferenceArray> {
  const bytes = await readFile(join(folder, file))
  const size = sizes.reduce((product, each) => product * each, 1)
  if (bytes.length !== size * 4) {
    throw new SpeechError(`${file} has ${bytes.length} bytes, wanted ${size * 4} for [${sizes.join(', ')}].`)
  }
  return { data: new Float32Array(bytes.buffer, bytes.byteOffset, size), shape: sizes }
}
