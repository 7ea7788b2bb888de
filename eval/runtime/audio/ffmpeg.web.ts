// SPDX-License-Identifier: Apache-2.0

import { SpeechError } from '../speech-error.ts'
import type * as Ffmpeg from './ffmpeg.ts'

/** The hint of a refusal of a format that another decoder may read. */
export const CONVERT = 'Convert the file first.'

/** A page starts no programs. @throws SpeechError always */
export const decodeWithFfmpeg: typeof Ffmpeg.decodeWithFfmpeg = async ({ refusal: { message, wanted } }) => {
  throw new SpeechError(`${message}${wanted}.`, CONVERT)
}
