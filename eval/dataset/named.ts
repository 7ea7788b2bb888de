// SPDX-License-Identifier: Apache-2.0

import type { NormalizerName } from '../normalize/normalizers.ts'
import type { LanguageCode } from '../runtime/languages.ts'

/* Short names of datasets on the hub. */

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
  'fleurs-ar': fleurs('ar', 'ar_eg'),
  'fleurs-yue': fleurs('yue', 'yue_hant_hk'),
  'fleurs-zh': fleurs('zh', 'cmn_hans_cn'),
  'fleurs-cs': fleurs('cs', 'cs_cz'),
  'fleurs-da': fleurs('da', 'da_dk'),
  'fleurs-nl': fleurs('nl', 'nl_nl'),
  'fleurs-en': fleurs('en', 'en_us'),
  'fleurs-fil': fleurs('fil', 'fil_ph'),
  'fleurs-fi': fleurs('fi', 'fi_fi'),
  'fleurs-fr': fleurs('fr', 'fr_fr'),
  'fleurs-de': fleurs('de', 'de_de'),
  'fleurs-el': fleurs('el', 'el_gr'),
  'fleurs-hi': fleurs('hi', 'hi_in'),
  'fleurs-hu': fleurs('hu', 'hu_hu'),
  'fleurs-id': fleurs('id', 'id_id'),
  'fleurs-it': fleurs('it', 'it_it'),
  'fleurs-ja': fleurs('ja', 'ja_jp'),
  'fleurs-ko': fleurs('ko', 'ko_kr'),
  'fleurs-mk': fleurs('mk', 'mk_mk'),
  'fleurs-ms': fleurs('ms', 'ms_my'),
  'fleurs-fa': fleurs('fa', 'fa_ir'),
  'fleurs-pl': fleurs('pl', 'pl_pl'),
  'fleurs-pt': fleurs('pt', 'pt_br'),
  'fleurs-ro': fleurs('ro', 'ro_ro'),
  'fleurs-ru': fleurs('ru', 'ru_ru'),
  'fleurs-es': fleurs('es', 'es_419'),
  'fleurs-sv': fleurs('sv', 'sv_se'),
  'fleurs-th': fleurs('th', 'th_th'),
  'fleurs-tr': fleurs('tr', 'tr_tr'),
  'fleurs-vi': fleurs('vi', 'vi_vn'),
}

/** Names that stand for datasets of the hub with their columns and normalizers. */
export const DATASET_NAMES = Object.keys(NAMED)

/** All names for people: the languages of FLEURS as one. */
export const DATASETS_LISTED = [
  ...DATASET_NAMES.filter((name) => !name.startsWith('fleurs-')),
  'fleurs-LANGUAGE (ISO code)',
].join(', ')

/**
 * A test set of FLEURS (https://arxiv.org/abs/2205.12446). `transcription` is in lower case and without punctuation,
 * `raw_transcription` as it was written. As Whisper's authors do, English has a normalizer of its own
 * (https://arxiv.org/abs/2212.04356, appendix C).
 */
function fleurs(language: LanguageCode, config: string): NamedDataset {
  return {
    ...{ repo: 'google/fleurs', config, split: 'test', language },
    columns: { text: 'transcription', audio: 'audio' },
    normalizer: language === 'en' ? 'whisper-english' : 'whisper-basic',
  }
}

/** The dataset that a short name stands for. @returns undefined when no dataset has this name */
export function namedDataset(name: string): NamedDataset | undefined {
  return Object.hasOwn(NAMED, name) ? NAMED[name] : undefined
}
