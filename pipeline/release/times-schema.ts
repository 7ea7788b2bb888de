// SPDX-License-Identifier: Apache-2.0

import { about, count, shape } from '../../eval/runtime/schema.ts'
import { FIGURE, INTERVAL } from './figure-schema.ts'

const edges = shape({
  edges: about('Edges that were compared.', count),
  mean: about('Mean absolute error.', FIGURE),
  median: about('Its median.', FIGURE),
  bias: about('Mean signed error: positive when the variant is late.', FIGURE),
  within80: about('Share of edges that are at most 80 ms away.', FIGURE),
  within200: about('Share of edges that are at most 200 ms away.', FIGURE),
})

/** How right the times of a variant's words are; all of it in seconds and shares. */
export const TIMES = shape({
  utterances: about('Utterances of which variant and reference have times.', count),
  referenceEdges: about('Starts and ends that their references have.', count),
  starts: about('Of starts.', edges),
  ends: about('Of ends.', edges),
  all: about('Of both.', edges),
  meanInterval: about('95 % interval of the mean error of both, by bootstrap over utterances.', INTERVAL),
  within80Interval: about('95 % interval of the share within 80 ms.', INTERVAL),
  odd: about(
    'Words of the variant whose times cannot be right.',
    shape({
      words: about('All words that have times.', count),
      zeroLength: about('Words that end when they start, or before.', count),
      nonMonotonic: about('Words that start before the word ahead of them.', count),
      afterEnd: about('Words that end after the recording.', count),
    }),
  ),
})
