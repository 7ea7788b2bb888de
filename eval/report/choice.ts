// SPDX-License-Identifier: Apache-2.0

import type { DatasetDescription } from '../run-description.ts'
import type { Report } from './report.ts'
import { type Sentence, sentence } from './sentence.ts'

/** Which utterances of which data, so that somebody else can take the same. */
export function choiceSentences({ run }: Report): Sentence[] {
  const { shard, selection, datasets } = run
  const part = shard ? ` This is part ${shard.index} of ${shard.of}.` : ''
  return datasets.map(
    (dataset) => sentence`${countOf(dataset)} of ${placeOf(dataset)}${howChosen(dataset, selection)}.${part}`,
  )
}

function countOf({ count, of }: DatasetDescription): string {
  const total = of.toLocaleString('en')
  if (count < of) return `${count.toLocaleString('en')} of the ${total} utterances`
  return of === 1 ? 'The only utterance' : `All ${total} utterances`
}

function placeOf({ name, source }: DatasetDescription): Sentence {
  const { kind, ...rest } = source
  if (kind === 'folder') return sentence`the local folder ${{ name }}`
  const { repo, file, ...details } = rest
  const known = Object.entries(details).flatMap(([key, value]) => [
    ', ',
    key.replaceAll('_', ' '),
    ' ',
    { name: String(value) },
  ])
  return sentence`${{ name }}${(repo ?? file) ? sentence` (${{ name: String(repo ?? file) }}${known})` : known}`
}

function howChosen({ count, of }: DatasetDescription, { sample, seed }: Report['run']['selection']): string {
  if (count === of) return ''
  if (sample === 'first') return ', the first of them'
  return sample === 'seeded' ? `, drawn at random (seed ${seed})` : ''
}
