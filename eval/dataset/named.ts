/** A split of a dataset on the hub. */
export interface HubSpec {
  readonly repo: string
  readonly config: string
  readonly split: string
  readonly revision?: string
}

/** Datasets by a short name, all of them English. */
export const NAMED: Readonly<Record<string, HubSpec>> = {
  'librispeech-clean': { repo: 'openslr/librispeech_asr', config: 'all', split: 'test.clean' },
  'librispeech-other': { repo: 'openslr/librispeech_asr', config: 'all', split: 'test.other' },
  'ami-sdm': { repo: 'edinburghcstr/ami', config: 'sdm', split: 'test' },
}

export const DATASET_NAMES = Object.keys(NAMED)
