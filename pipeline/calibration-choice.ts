// SPDX-License-Identifier: Apache-2.0

import { CALIBRATION_SPEECH } from './models.ts'

/** 16 are enough for the tiny model (docs/measurements.md); more cost memory and time. */
const CALIBRATION_CLIPS = 32

/** Which speech to calibrate on. */
export interface CalibrationChoice {
  /** as `npm run evaluate` names datasets */
  readonly dataset: string
  /** clips at most */
  readonly clips: number
}

/** What recipes are calibrated on where nothing else is given: clips that ship with the project. */
export const USUAL_CALIBRATION: CalibrationChoice = { dataset: CALIBRATION_SPEECH, clips: CALIBRATION_CLIPS }
