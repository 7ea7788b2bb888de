// SPDX-License-Identifier: Apache-2.0

import * as v from 'valibot'
import { isJsonObject, type JsonObject } from '../../eval/runtime/json-value.ts'
import { LANGUAGES } from '../../eval/runtime/languages.ts'
import { list, positive, section, text, whole } from '../../eval/runtime/schema.ts'
import { checked, wrong } from '../shared/checked.ts'
import { Failure } from '../shared/failure.ts'
import { readCheckpointJson } from './checkpoint-files.ts'

/** What a checkpoint says of its timestamp slots: it is a forced aligner, with a head of classes in place of the vocabulary's. */
export interface AlignerConfig {
  /** rows of the head: class c of a slot is the time c x segment_ms */
  readonly classes: number
  readonly segment_ms: number
  readonly timestamp_token_id: number
  /** names of those it was trained for, as Qwen3-ASR names them */
  readonly languages: readonly string[]
}

/** The head's tensor, by native name. */
export const SCORE = 'score.weight'

const FILE = 'config.json'
const PROCESSOR_FILE = 'processor_config.json'
const HINT = 'Give a Qwen3 forced aligner, such as Qwen/Qwen3-ForcedAligner-0.6B.'

/** Of checkpoints that do not say it: Qwen3-ForcedAligner's own. */
const SEGMENT_MS = 80

/** Those of Qwen3-ForcedAligner-0.6B's model card, for checkpoints that do not list theirs. */
const USUAL_LANGUAGES = [
  'Cantonese',
  'Chinese',
  'English',
  'French',
  'German',
  'Italian',
  'Japanese',
  'Korean',
  'Portuguese',
  'Russian',
  'Spanish',
]

const classCount = whole(2, 1 << 20)
const segment = positive(10_000)

/** Keys of the original format, some of which stand outside of thinker_config, too; then transformers' own. */
const KEYS = section({
  classify_num: v.nullish(classCount),
  num_labels: v.nullish(classCount),
  id2label: v.nullish(section({})),
  timestamp_segment_time: v.nullish(segment),
  timestamp_token_id: v.nullish(whole(0, 1 << 24)),
  support_languages: v.nullish(list(text)),
})

/** Whether config.json is that of a forced aligner, in either format. */
export function isAligner(config: JsonObject): boolean {
  const thinker = isJsonObject(config['thinker_config']) ? config['thinker_config'] : {}
  const names = config['architectures']
  return (
    (thinker['classify_num'] ?? undefined) !== undefined ||
    [config, thinker].some(({ model_type: type }) => String(type).includes('forced_aligner')) ||
    (Array.isArray(names) && names.some((name) => /TokenClassification|ForcedAligner/.test(String(name))))
  )
}

/**
 * What config.json of a forced aligner says of its slots.
 * @throws Failure naming the key that is wrong or missing, and what is wanted
 */
export function checkAligner(config: JsonObject, vocabulary: number): AlignerConfig {
  const thinker = isJsonObject(config['thinker_config']) ? config['thinker_config'] : undefined
  const inner = thinker && checked(KEYS, thinker, { file: FILE, prefix: 'thinker_config.', hint: HINT })
  const outer = checked(KEYS, config, { file: FILE, hint: HINT })
  const labels = outer.id2label ? Object.keys(outer.id2label).length : undefined
  const refuse = (key: string, found: unknown, wanted: string) =>
    found === undefined
      ? new Failure(`${FILE}: ${key} is missing, wanted ${wanted}.`, HINT)
      : wrong({ file: FILE, key, found, wanted, hint: HINT })
  const classes = inner?.classify_num ?? outer.classify_num ?? outer.num_labels ?? labels
  if (classes === undefined || classes < 2)
    throw refuse(
      thinker ? 'thinker_config.classify_num' : 'num_labels',
      classes,
      'the number of classes of a slot',
    )
  const id = outer.timestamp_token_id ?? inner?.timestamp_token_id
  if (typeof id !== 'number' || id >= vocabulary)
    throw refuse('timestamp_token_id', id, `an id below ${vocabulary}, the size of the vocabulary`)
  const known: readonly string[] = Object.values(LANGUAGES)
  const languages = (outer.support_languages ?? inner?.support_languages ?? []).filter((name) =>
    known.includes(name),
  )
  return {
    classes,
    segment_ms: outer.timestamp_segment_time ?? inner?.timestamp_segment_time ?? SEGMENT_MS,
    timestamp_token_id: id,
    languages: languages.length > 0 ? languages.sort() : USUAL_LANGUAGES,
  }
}

/** As {@link AlignerConfig.segment_ms}, where the file of transformers' processor says it. */
export async function processorSegment(folder: string): Promise<number | undefined> {
  const processor = await readCheckpointJson(folder, PROCESSOR_FILE)
  if (processor === undefined) return undefined
  const keys = section({ timestamp_segment_time: v.nullish(segment) })
  return checked(keys, processor, { file: PROCESSOR_FILE, hint: HINT }).timestamp_segment_time ?? undefined
}
