// SPDX-License-Identifier: Apache-2.0

import type { ReleaseConfigFile } from '../../eval/runtime/config-schema.ts'
import { EMBEDDINGS } from '../../eval/runtime/graphs.ts'
import type { AlignerConfig } from '../checkpoint/aligner-config.ts'
import { port } from './port.ts'

/** Longer recordings were not part of the training, and the published programs cut them. */
const MAX_SECONDS = 180

/** The last class is the latest possible time. */
function maxSeconds(classes: number, segmentMs: number): number {
  return Math.min(MAX_SECONDS, ((classes - 1) * segmentMs) / 1000)
}

/** config.json's description of a forced aligner, for a reader who has only this file and the graphs. */
export function alignerSection(
  { classes, segment_ms, timestamp_token_id, languages }: AlignerConfig,
  hidden: number,
): Omit<NonNullable<ReleaseConfigFile['aligner']>, 'graphs'> {
  return {
    ...{ classes, segment_ms, timestamp_token_id, languages, max_seconds: maxSeconds(classes, segment_ms) },
    about:
      'One graph from a whole prompt to the classes of its slots, for B prompts at once: nothing is generated. Prompts may have ' +
      'unequal lengths and numbers of slots: what is valid stands in front, and what stands behind must be finite (zeros will do).',
    inputs: {
      input_embeds: port(
        'float32',
        ['B', 'S', hidden],
        `rows of ${EMBEDDINGS} for the tokens, widened to float32, with the audio features in place of the audio pads`,
      ),
      input_lengths: port('int64', ['B'], 'valid positions of each row of input_embeds, 1 to S'),
      slots: port('int64', ['B', 'T'], 'positions of the slots in each row; fill up with 0'),
    },
    outputs: {
      logits: port('float32', ['B', 'T', classes], 'of each slot; class c is the time c x segment_ms'),
    },
    use: [
      'Cut the text into units: words by spaces, each ideograph by itself; keep letters, numbers and apostrophes of each.',
      'Prompt: audio_start, an audio_pad for each audio feature, audio_end, then the tokens of each unit and two timestamps behind ' +
        'it. There is no chat template, and no space between units.',
      'slots: the positions of the timestamps. The first of a pair is the start of its unit, the second one the end.',
      'The time of a slot is that of its largest logit. Make the times non-decreasing: the longest non-decreasing subsequence stays.',
    ],
  }
}
