import type { LanguageCode } from '../languages.ts'
import type { NormalizerName } from '../normalize/normalizers.ts'

/** A split of a dataset on the hub. */
export interface HubSpec {
  readonly repo: string
  readonly config: string
  readonly split: string
  /** a branch, tag or commit; main by default, or else the hub's conversion to parquet */
  readonly revision?: string
}

/** A dataset with a short name: all that has to be known of it. */
export interface NamedDataset extends HubSpec {
  readonly language: LanguageCode
  /** of the reference and the recording; by default found by their names. COLUMN.FIELD is a field of a struct */
  readonly columns?: { readonly text?: string; readonly audio?: string }
  /** of the tables, unless the user names another */
  readonly normalizer: NormalizerName
}

const ENGLISH = { language: 'en', normalizer: 'whisper-english' } as const

/** To add a dataset, add a row. */
const NAMED: Readonly<Record<string, NamedDataset>> = {
  'librispeech-clean': { repo: 'openslr/librispeech_asr', config: 'all', split: 'test.clean', ...ENGLISH },
  'librispeech-other': { repo: 'openslr/librispeech_asr', config: 'all', split: 'test.other', ...ENGLISH },
  'ami-sdm': { repo: 'edinburghcstr/ami', config: 'sdm', split: 'test', ...ENGLISH },
}

export const DATASET_NAMES = Object.keys(NAMED)

/** @returns undefined when no dataset has this name */
export function namedDataset(name: string): NamedDataset | undefined {
  return Object.hasOwn(NAMED, name) ? NAMED[name] : undefined
}
