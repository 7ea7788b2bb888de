// SPDX-License-Identifier: Apache-2.0

import { USUAL_CALIBRATION } from '../calibration-choice.ts'
import { between, number, text } from './arguments.ts'

/** Of every command that calibrates recipes. */
export const CALIBRATION = {
  calibration: {
    ...text('speech to calibrate recipes on: a dataset as evaluate names it, apart from what is measured on'),
    default: USUAL_CALIBRATION.dataset,
    defaultDescription: 'bundled calibration speech',
  },
  'calibration-clips': {
    ...number('clips of it, chosen by a seed', between(8, 1024)),
    default: USUAL_CALIBRATION.clips,
  },
} as const
