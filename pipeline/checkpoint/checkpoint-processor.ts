// SPDX-License-Identifier: Apache-2.0

import * as v from 'valibot'
import { list, section, text, whole } from '../../eval/runtime/schema.ts'
import { checked } from '../shared/checked.ts'
import { MEL } from './checkpoint-config.ts'
import { readCheckpointJson } from './checkpoint-files.ts'

const HINT = 'Use the files of a plain Qwen3-ASR checkpoint: others are not computed with.'

const exactly = (value: number) => v.optional(whole(value, value))

/** The feature extractor's settings that decide the spectrogram. */
export const EXTRACTOR = section({
  feature_size: exactly(MEL.bins),
  sampling_rate: exactly(MEL.rate),
  n_fft: exactly(MEL.fft),
  hop_length: exactly(MEL.hop),
})

/**
 * Check the files about sound and generation, each of which may be missing: their values are those that we compute with.
 * @throws Failure naming the key that is wrong, its value and what is wanted
 */
export async function checkProcessor(folder: string, vocabulary: number): Promise<void> {
  await check('preprocessor_config.json', EXTRACTOR)
  await check(
    'processor_config.json',
    section({ feature_extractor: v.optional(EXTRACTOR), processor_class: v.optional(text) }),
  )
  const id = whole(0, vocabulary - 1)
  const ids = v.nullish(v.union([id, list(id)], `${id.pipe[0].message} or an array of them`))
  await check('generation_config.json', section({ eos_token_id: ids, pad_token_id: v.nullish(id) }))

  async function check(file: string, schema: v.GenericSchema): Promise<void> {
    const value = await readCheckpointJson(folder, file)
    if (value !== undefined) checked(schema, value, { file, hint: HINT })
  }
}
