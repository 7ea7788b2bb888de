import type { LoadOptions } from '../../eval/runtime/qwen3-asr.ts'
import type { RecognizeOptions } from '../../eval/runtime/recognize.ts'

export const FORMATS = ['text', 'json', 'srt', 'vtt'] as const

/** The name on a command line of audio that comes on stdin. */
export const STDIN = '-'

/** One run's options, as the command line gives them. */
export interface TranscribeOptions
  extends LoadOptions,
    Pick<RecognizeOptions, 'language' | 'context' | 'maxPieceSeconds' | 'maxNewTokens'> {
  readonly files: readonly string[]
  /** undefined: the only one in output/ */
  readonly modelDir?: string
  readonly threads: number
  readonly provider: string
  readonly format: (typeof FORMATS)[number]
  /** undefined: stdout */
  readonly outputDir?: string
  /** samples a second of stdin, where it has no header */
  readonly rate?: number
}

export function isSubtitles(format: TranscribeOptions['format']): format is 'srt' | 'vtt' {
  return format === 'srt' || format === 'vtt'
}
