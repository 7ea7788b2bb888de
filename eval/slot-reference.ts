// SPDX-License-Identifier: Apache-2.0

import { join } from 'node:path'
import { readChecked } from './checked-json.ts'
import { ARRAY, type ReferenceArray, readArray } from './reference.ts'
import { count, dictionary, list, number, type Parsed, shape, text } from './runtime/schema.ts'
import { SpeechError } from './runtime/speech-error.ts'

/** What PyTorch computed of a text and a clip with a forced aligner. */
export interface SlotReference {
  readonly id: string
  /** what is spoken of each unit */
  readonly units: readonly string[]
  readonly promptIds: readonly number[]
  /** of each slot, the one with the largest logit */
  readonly classes: readonly number[]
  /** of each slot, in milliseconds, which do not decrease */
  readonly times: readonly number[]
  /** [128, T] */
  readonly mel: ReferenceArray
  /** [N, H] */
  readonly features: ReferenceArray
  /** [slots, classes] */
  readonly logits: ReferenceArray
}

/** index.json of python/aligner_reference.py. */
const INDEX = shape({
  clips: list(
    shape({
      id: text,
      units: list(text),
      prompt_ids: list(count),
      classes: list(count),
      times: list(number),
      ...{ mel: ARRAY, features: ARRAY, logits: ARRAY },
    }),
  ),
  versions: dictionary(text),
})

/** index.json of a folder of references of a forced aligner, as it was read. */
export type SlotIndex = Parsed<typeof INDEX>

const HINT = 'PyTorch writes it: run the validation again with --force.'

/**
 * Read index.json of a folder of a forced aligner's references.
 * @throws SpeechError when it is missing, or names the key that is not right
 */
export async function readSlotIndex(folder: string): Promise<SlotIndex> {
  const path = join(folder, 'index.json')
  const index = await readChecked(INDEX, path, HINT)
  if (index) return index
  throw new SpeechError(`${path} is missing.`, HINT)
}

/** Load one clip's arrays. */
export async function readSlotReference(
  folder: string,
  { prompt_ids: promptIds, mel, features, logits, ...entry }: SlotIndex['clips'][number],
): Promise<SlotReference> {
  return {
    ...{ ...entry, promptIds },
    mel: await readArray(folder, mel),
    features: await readArray(folder, features),
    logits: await readArray(folder, logits),
  }
}
