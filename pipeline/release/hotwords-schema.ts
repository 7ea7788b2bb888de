// SPDX-License-Identifier: Apache-2.0

import { about, count, number, shape, text, truth } from '../../eval/runtime/schema.ts'
import { FIGURE } from './figure-schema.ts'

const rate = shape({
  rate: about('The share; 1 is 100 %.', FIGURE),
  count: about('What was counted.', count),
  of: about('In how many.', count),
  low: about('Lower end of its 95 % interval, by bootstrap over utterances.', FIGURE),
  high: about('Upper end.', FIGURE),
})
const difference = shape({
  difference: about('The rate with lists less that without.', FIGURE),
  low: about('Lower end of its 95 % interval, by paired bootstrap over utterances.', FIGURE),
  high: about('Upper end.', FIGURE),
  higher: about('Share of resamples in which the rate with lists is the higher one.', FIGURE),
  distinct: about('Whether the interval excludes 0.', truth),
})

/** How a variant recognized the hotwords of utterances that have a list, given or not. */
export const HOTWORDS = shape({
  utterances: about('Utterances that have a list.', count),
  listed: about(
    'Hotwords of a list, those that are not said included.',
    shape({
      least: about('Of the shortest list.', count),
      median: about('The median.', number),
      most: about('Of the longest list.', count),
    }),
  ),
  wer: about('WER of these utterances.', rate),
  bWer: about('B-WER: errors on words of hotwords that are said.', rate),
  uWer: about('U-WER: errors on all other words.', rate),
  recall: about('Hotwords that were recognized, of those that are said.', rate),
  falseInsertions: about('Hotwords that were written but not said, for each word of the references.', rate),
})

/** What lists of hotwords changed, on the same utterances. */
export const HOTWORD_DIFFERENCES = shape({
  utterances: about('Utterances that have a list.', count),
  wer: about('Of WER.', difference),
  bWer: about('Of B-WER.', difference),
  uWer: about('Of U-WER.', difference),
  recall: about('Of recall.', difference),
  falseInsertions: about('Of false insertions.', difference),
})

/** Which lists were given. */
export const LISTS = shape({
  id: about('Of their content: the first 16 digits of the SHA-256 of the file, or `manifest`.', text),
  source: about('Name of the file without folders, or where else they were.', text),
})
