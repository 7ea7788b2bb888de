import { basename, extname } from 'node:path'
import { cuesOf, srt, vtt } from '../../eval/cues.ts'
import type { AlignedAudio } from '../../eval/runtime/aligner/aligner.ts'
import { startAligner } from '../../eval/runtime/aligner-thread.ts'
import { defined } from '../../eval/runtime/defined.ts'
import { usualCache } from '../../eval/runtime/prompt-cache.ts'
import { readText } from '../../eval/text-file.ts'
import { onlyModel } from '../release/only-model.ts'
import { printableSpeech } from '../shared/printable.ts'
import { withoutSecrets } from '../shared/redact.ts'
import { jsonLine } from '../shared/terminal.ts'
import type { AlignOptions } from './align-formats.ts'
import { rounded, roundedWords } from './rounded.ts'
import { ctm, textGrid } from './word-files.ts'

/** A recording, its text, and when its words are said. */
export interface Aligned extends AlignedAudio {
  readonly file: string
  readonly variant: string
  readonly text: string
}

/**
 * Find when the words of a text are said in a recording.
 * @throws Failure when there is no model, and SpeechError for audio, a text or a language that does not fit
 */
export async function alignFile(options: AlignOptions, signal: AbortSignal): Promise<Aligned> {
  const { audio, variant, threads, provider, language } = options
  const text = await textOf(options.text)
  const folder = options.modelDir ?? (await onlyModel('name its folder with --model-dir', 'aligner'))
  const cache = options.cache ? usualCache() : undefined
  const aligner = await startAligner({ folder, threads, provider, ...defined({ variant, cache }) })
  try {
    signal.throwIfAborted()
    const aligned = await aligner.align({ input: { path: audio }, text, ...defined({ language }) })
    signal.throwIfAborted()
    const warnings = [...aligned.notes, ...aligned.warnings]
    return { file: audio, variant: aligner.variant, text, ...aligned, warnings }
  } finally {
    await aligner.release()
  }
}

async function textOf(given: string): Promise<string> {
  return extname(given).toLowerCase() === '.txt' ? readText(given) : given
}

/** As stdout has it. */
export function alignedContent(aligned: Aligned, format: AlignOptions['format']): string {
  const { file, words, seconds } = aligned
  switch (format) {
    case 'json':
      return jsonLine(alignedObject(aligned), withoutSecrets)
    case 'srt':
      return srt(cuesOf(subtitled(aligned)))
    case 'vtt':
      return vtt(cuesOf(subtitled(aligned)), { marksWords: true })
    case 'ctm':
      return ctm(basename(file, extname(file)), words.map(printed))
    case 'textgrid':
      return textGrid(words.map(printed), seconds)
  }
}

/** As JSON has it. */
export function alignedObject({ file, variant, seconds, words, warnings }: Aligned): object {
  return { file, variant, seconds: rounded(seconds), words: roundedWords(words), warnings }
}

function subtitled({ text, words }: Aligned) {
  const [first, last] = [words[0], words.at(-1)]
  if (!first || !last) return []
  const spaced = printableSpeech(text.replace(/\s+/g, ' ').trim())
  return [{ start: first.start, end: last.end, text: spaced, words: words.map(printed) }]
}

function printed<T extends { readonly text: string }>(word: T): T {
  return { ...word, text: printableSpeech(word.text) }
}
