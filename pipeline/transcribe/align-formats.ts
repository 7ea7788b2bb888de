// SPDX-License-Identifier: Apache-2.0

/** Formats in which times of words are written. */
export const ALIGN_FORMATS = ['json', 'srt', 'vtt', 'ctm', 'textgrid'] as const

/** One run's options, as the command line gives them. */
export interface AlignOptions {
  readonly audio: string
  /** what is said, or the name of a file that ends in .txt */
  readonly text: string
  /** undefined: the only one in output/ */
  readonly modelDir?: string
  readonly variant?: string
  /** release of a recognizer, for recordings that are too long for one pass; undefined: the only one in output/ */
  readonly recognizer?: string
  readonly language?: string
  readonly format: (typeof ALIGN_FORMATS)[number]
  readonly threads: number
  readonly provider: string
  readonly cache: boolean
}
