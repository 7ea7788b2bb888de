// SPDX-License-Identifier: Apache-2.0

import { join } from 'node:path'
import { normalizedWords } from '../../eval/normalize/normalizers.ts'
import { seededRandom, shuffled } from '../../eval/random.ts'
import { PROJECT } from '../../eval/runtime/project.ts'
import { bundledRows } from './speech-parquet.ts'

/** Lists for all bundled recordings. */
export const BUNDLED_HOTWORDS = join(PROJECT, 'test', 'fixtures', 'hotwords', 'bundled-20.tsv')

const SEED = 1
const DISTRACTORS = 20
/** A word that the recordings have more often is a common one. */
const RARE = 5
/** More than there are. */
const ALL = 1000

/**
 * The lines of {@link BUNDLED_HOTWORDS}, in the layout of the public lists: of each recording its rare words, and these with 20
 * others that are rare in the recordings, in the order of the alphabet.
 */
export async function bundledHotwords(): Promise<string[]> {
  const rows = await bundledRows(ALL)
  const counts = new Map<string, number>()
  for (const word of rows.flatMap(({ text }) => normalizedWords(text, 'basic')))
    counts.set(word, (counts.get(word) ?? 0) + 1)
  const known = [...counts].flatMap(([word, count]) => (count <= RARE ? [word] : [])).sort()
  const random = seededRandom(SEED)
  return rows.map(({ id, text }) => {
    const said = new Set(normalizedWords(text, 'basic'))
    const rare = known.filter((word) => said.has(word))
    const others = shuffled(
      known.filter((word) => !said.has(word)),
      random,
    ).slice(0, DISTRACTORS)
    return [id, text, JSON.stringify(rare), JSON.stringify([...rare, ...others].sort())].join('\t')
  })
}
