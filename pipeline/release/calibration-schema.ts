// SPDX-License-Identifier: Apache-2.0

import * as v from 'valibot'
import {
  about,
  count,
  dictionary,
  list,
  number,
  type Parsed,
  shape,
  text,
} from '../../eval/runtime/schema.ts'

/** What recipes were calibrated on, as provenance and manifest name it. */
export const CALIBRATION = shape({
  dataset: about('Where its speech comes from.', dictionary(v.unknown())),
  clips: about(
    'Its recordings, none of which the release was judged on.',
    list(
      shape({
        id: about("The recording's name in the dataset.", text),
        sha256: about('Of its samples as float32, 16 kHz mono.', text),
        seconds: about('Its length.', number),
      }),
    ),
  ),
  positions: about("Tokens of all prompts and of FP32's own answers.", count),
  versions: about('Packages that answered and computed.', dictionary(text)),
})
/** What recipes were calibrated on. */
export type CalibrationSource = Parsed<typeof CALIBRATION>

/** Formats that a calibration chose, by variant and weight. */
export const CHOSEN = dictionary(dictionary(text))
