// SPDX-License-Identifier: Apache-2.0

import * as v from 'valibot'
import { readChecked } from './checked-json.ts'
import { NORMALIZER_NAMES } from './normalize/normalizers.ts'
import { count, dictionary, list, type Parsed, record, shape, text, whole } from './runtime/schema.ts'

const place = whole(1, Number.MAX_SAFE_INTEGER)
const choices = record(v.union([v.string(), v.number()], 'a string or a number'))

/** A dataset as a report needs it. */
const DATASET = shape({
  /** short, for tables: librispeech-other */
  name: text,
  /** everything that is needed to choose the same utterances again */
  source: choices,
  /** ISO code; runs before this was noted, and data whose language is not known, have none */
  language: v.exactOptional(text),
  /** utterances chosen, of how many */
  count,
  of: count,
  /** in the data, without a reference */
  leftOut: v.exactOptional(count),
  /** of the chosen ones: each identifies a recording, see Utterance */
  keys: list(text),
  /** which of the normalizers the tables show; the files hold all */
  normalizer: v.picklist(NORMALIZER_NAMES, `one of ${NORMALIZER_NAMES.join(', ')}`),
})

const SYSTEM = shape({
  name: text,
  kind: v.picklist(['model', 'engine', 'aligner'], '"model", "engine" or "aligner"'),
  /** everything that decides about text and speed, the machine aside */
  settings: dictionary(v.unknown()),
  /** of `settings`; results of another setting are not reused */
  setting: text,
  /** size of the files that the variant needs */
  bytes: v.exactOptional(count),
})

/** What was asked for: run.json. With the records it makes the report. */
const RUN = shape({
  datasets: list(DATASET),
  systems: list(SYSTEM),
  selection: choices,
  /** part `index` (from 1) of `of` */
  shard: v.exactOptional(shape({ index: place, of: place })),
  /** lists of hotwords that were given: `id` of their content, and the file's name without folders */
  hotwords: v.exactOptional(shape({ id: text, source: text })),
})

/** A dataset of a run, with the keys of its utterances. */
export type DatasetDescription = Parsed<typeof DATASET>
/** A system of a run. */
export type SystemDescription = Parsed<typeof SYSTEM>
/** run.json: what a run measures. */
export type RunDescription = Parsed<typeof RUN>

/**
 * Read run.json of an evaluation.
 * @returns undefined when there is none
 * @throws SpeechError naming the key that is not right
 */
export function readRun(path: string): Promise<RunDescription | undefined> {
  return readChecked(RUN, path, 'Run that evaluation again: what it has measured is kept.')
}
