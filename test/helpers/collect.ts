// SPDX-License-Identifier: Apache-2.0

import type { Dataset, Utterance } from '../../eval/dataset/utterance.ts'

/** All utterances of a dataset, as an evaluation reads them. */
export async function collect(dataset: Dataset, isWanted = (_: string) => true): Promise<Utterance[]> {
  const out: Utterance[] = []
  for await (const utterance of dataset.utterances(isWanted, new AbortController().signal))
    out.push(utterance)
  return out
}
