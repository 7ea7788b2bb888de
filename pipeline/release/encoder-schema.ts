// SPDX-License-Identifier: Apache-2.0

import * as v from 'valibot'
import { about, dictionary, list, number, type Parsed, shape } from '../../eval/runtime/schema.ts'
import { RULES } from '../recipe-schema.ts'

/** What python/quantize/encoder_gate.py found of an encoder, on the speech of the calibration. */
const TRIED = shape({
  rules: about('Selectors of weights, and their formats.', RULES),
  cosine: about("Least cosine with FP32's of 99 % of the features.", number),
  least: about('Of all features.', number),
  mean: about('Of all features.', number),
  kld: v.exactOptional(
    about(
      "Mean KLD of the decoder's next token from FP32's, in nats; missing where it is not finite.",
      number,
    ),
  ),
})

/** By which rules an encoder was made, of a recipe that has others for those that lose too much. */
export const ENCODER_CHOICE = shape({
  rules: about('Those that it was made by.', RULES),
  tried: about('Up to them, in the order of the recipe.', list(TRIED)),
  limits: about(
    'What was allowed.',
    shape({
      cosine: about('Least of 99 % of the features.', number),
      kld: about('Most, in nats.', number),
    }),
  ),
})
/** By which rules an encoder was made, with what else was tried. */
export type EncoderChoice = Parsed<typeof ENCODER_CHOICE>

/** By variant. */
export const ENCODER_CHOICES = dictionary(ENCODER_CHOICE)
