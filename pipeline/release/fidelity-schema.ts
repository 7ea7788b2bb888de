// SPDX-License-Identifier: Apache-2.0

import * as v from 'valibot'
import { about, count, list, type Parsed, shape, text } from '../../eval/runtime/schema.ts'
import { GATE_RESULT_WAY } from './gate-result.ts'

const figure = v.nullable(v.number('a number or null'))

/** How close a variant is to its reference along the reference's own tokens. JSON has no NaN: what is not known is null. */
export const FIDELITY = shape({
  variant: about('The variant.', text),
  provider: about('The execution provider.', text),
  ...GATE_RESULT_WAY,
  clips: about('Utterances that were compared.', count),
  positions: about('Their tokens, at each of which two distributions were compared.', count),
  kld: about(
    "Kullback-Leibler divergence of the next token's distribution from the reference's, in nats.",
    shape({
      mean: about('Over all positions.', figure),
      low: about('Lower end of its 95 % interval by bootstrap over utterances.', figure),
      high: about('Upper end of its 95 % interval.', figure),
      median: about('Of all positions.', figure),
      p99: about('99th percentile.', figure),
      max: about('The largest.', figure),
    }),
  ),
  top1: about('Share of positions where the likeliest token is the one of the reference.', figure),
  cosine: about('Mean cosine of the logits with those of the reference.', figure),
  changed: about('Utterances whose greedy transcript is another one.', count),
  cut: about(
    'Utterances without a change in their first tokens, whose other tokens were not compared.',
    count,
  ),
  ratio: v.exactOptional(
    about(
      'Mean divergence as a multiple of that of another variant on the same utterances.',
      shape({
        to: about('The other variant.', text),
        mean: about('The multiple.', figure),
        low: about('Lower end of its 95 % interval by paired bootstrap over utterances.', figure),
        high: about('Upper end of its 95 % interval.', figure),
      }),
    ),
  ),
  bytes: about('Files that a reader of this variant loads, uncompressed.', count),
  problem: v.exactOptional(about('Why there are no figures.', text)),
})
/** How close a variant is to FP32, with the counts behind it. */
export type Fidelity = Parsed<typeof FIDELITY>
/** Fidelity of several variants, as reports and manifests hold it. */
export const FIDELITIES = list(FIDELITY)

/** The same of each utterance, for paired comparisons later on. */
export const CLIP_FIDELITY = shape({
  clip: about('The utterance.', text),
  positions: about('Its tokens that were compared.', count),
  kld: about('Sum of the divergences at them, in nats.', v.number('a number')),
  isChanged: about('Whether the greedy transcript is another one.', v.boolean('true or false')),
})
/** The fidelity of one utterance. */
export type ClipFidelity = Parsed<typeof CLIP_FIDELITY>
