import type { Layout, PrefillKind } from '../../eval/runtime/graphs.ts'

export const FORMATS = ['text', 'json', 'srt', 'vtt'] as const

/** The name on a command line of audio that comes on stdin. */
export const STDIN = '-'

/** One run's options, as the command line gives them. */
export interface TranscribeOptions {
  readonly files: readonly string[]
  /** undefined: the only one in output/ */
  readonly modelDir?: string
  /** undefined: int4 where there is one */
  readonly variant?: string
  readonly layout?: Layout
  readonly prefill?: PrefillKind
  readonly language?: string
  readonly context?: string
  readonly format: (typeof FORMATS)[number]
  /** undefined: stdout */
  readonly outputDir?: string
  readonly threads: number
  readonly provider: string
  readonly batch?: number
  readonly maxPieceSeconds?: number
  /** of each piece; undefined: what its length allows */
  readonly maxNewTokens?: number
  /** samples a second of stdin, where it has no header */
  readonly rate?: number
}

export function isSubtitles(format: TranscribeOptions['format']): format is 'srt' | 'vtt' {
  return format === 'srt' || format === 'vtt'
}
