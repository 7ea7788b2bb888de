import { SpeechError } from '../speech-error.ts'
import type * as Ffmpeg from './ffmpeg.ts'

/** A page starts no programs. @throws SpeechError always */
export const decodeWithFfmpeg: typeof Ffmpeg.decodeWithFfmpeg = async ({ refusal: { message, wanted } }) => {
  throw new SpeechError(`${message}${wanted}.`, 'Convert the file first.')
}
