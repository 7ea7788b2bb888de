// SPDX-License-Identifier: Apache-2.0

import { normalizedWords, smallestWords } from '../normalize/normalizers.ts'
import type { HotwordLists } from './hotwords.ts'
import { phrasesOf, placesOf } from './phrases.ts'

/** The name of {@link MANIFEST_LISTS} on the command line. */
export const MANIFEST = 'manifest'

/** Lists from the column `hotwords` of a manifest. Those that the reference has are the ones that are said. */
export const MANIFEST_LISTS: HotwordLists = {
  id: MANIFEST, // what the lists are is a part of the utterances' keys
  source: 'the column hotwords of a manifest',
  of: ({ text, hotwords: list }) => list && { list, rare: list.filter((hotword) => isSaid(hotword, text)) },
}

function isSaid(hotword: string, text: string): boolean {
  const words = smallestWords(normalizedWords(text, 'basic'))
  return placesOf(words, phrasesOf([hotword], 'basic', new Set(words))).length > 0
}
