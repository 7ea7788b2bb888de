// SPDX-License-Identifier: Apache-2.0

import { SpeechError } from '../speech-error.ts'

/** A stretch of decoded audio: one array for each channel, of one length; full scale is 1. */
export interface AudioBlock {
  readonly sampleRate: number
  readonly channels: readonly Float32Array[]
}

/** What a decoder gives. The sample rate and the number of channels may change from one block to the next. */
export interface Decoded {
  readonly blocks: AsyncGenerator<AudioBlock>
  /** samples were stored as floats, so that they may exceed full scale by any factor */
  readonly isFloat: boolean
}

/** The bytes are not what a decoder reads, so that another decoder may be tried. Damage is a SpeechError instead. */
export class UnreadableError extends SpeechError {
  readonly wanted: string

  /** @param wanted what could be read, as the rest of a sentence that `message` begins */
  constructor(message: string, wanted = '') {
    super(message)
    this.wanted = wanted
  }
}

/** Seconds for a message. */
export function inSeconds(samples: number, sampleRate: number): string {
  return `${(samples / sampleRate).toFixed(2)} s`
}
